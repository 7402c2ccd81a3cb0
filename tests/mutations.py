"""Faults to plant in a copy of the package, one at a time, and who catches each.

`caught` are checks of the audit that refute the model of `case` (see `mutant`), or the tests that
fail; `docs/audit.md` prints the table.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutation:
    """One fault.

    Attributes:
        name: what is wrong, in a few words.
        file: of the package, from its root.
        old, new: what stands in the file exactly once, and what is put there.
        caught: checks of the audit, or one test as `tests/test_x.py::test_y`.
        case: the model that is fitted and audited; "" where a test catches it.
        quick: whether it is planted in every run of the suite.
    """

    name: str
    file: str
    old: str
    new: str
    caught: tuple[str, ...]
    case: str = ""
    quick: bool = False


MUTATIONS = (
    Mutation(
        "the Jacobian of a logarithm dropped",
        "ppgen/data/bijections.py",
        "return y, -y",
        "return y, 0 * y",
        ("integral",),
        "lengths",
        quick=True,
    ),
    Mutation(
        "a sign in the Jacobian of a logit",
        "ppgen/data/bijections.py",
        "np.log(self.b - self.a) - log_left - log_right",
        "np.log(self.b - self.a) - log_left + log_right",
        ("samples",),
        "proportions",
    ),
    Mutation(
        "the scale of real columns left out of the density",
        "ppgen/data/real_columns.py",
        "log_det[rows] -= np.log(scale).sum()",
        "log_det[rows] -= 0 * scale.sum()",
        ("integral",),
        "kde",
        quick=True,
    ),
    Mutation(
        "a standard deviation where a variance belongs",
        "models/baseline/kernel_mixture.py",
        "logs *= -0.5 / self.bandwidth**2",
        "logs *= -0.5 / self.bandwidth",
        ("integral",),
        "kde",
    ),
    Mutation(
        "a scale fixed at 1 in samples",
        "models/baseline/kernel_mixture.py",
        "self.bandwidth * noise",
        "1.0 * noise",
        ("samples",),
        "kde",
    ),
    Mutation(
        "a transposed table in samples",
        "models/gmm/conditional.py",
        "codes[:, j] = draw_levels(table, component, rng)",
        "codes[:, j] = draw_levels(table.T, component, rng)",
        ("samples",),
        "tables",
    ),
    Mutation(
        "a transposed factor in samples",
        "models/gmm/conditional.py",
        "@ factors[c].T",
        "@ factors[c]",
        ("samples",),
        "mixture",
    ),
    Mutation(
        "the constant of a Gaussian for one dimension too few",
        "models/gmm/radial.py",
        "-0.5 * size * np.log(2 * np.pi)",
        "-0.5 * (size - 1) * np.log(2 * np.pi)",
        ("integral",),
        "mixture",
    ),
    Mutation(
        "pseudo-rows of a table added whole to each level",
        "models/gmm/em.py",
        "(n_jkl + a / levels)",
        "(n_jkl + a)",
        ("integral",),
        "tables",
    ),
    Mutation(
        "plus for minus in a conditional covariance",
        "models/gmm/missing.py",
        "M -= column[:, None] * row",
        "M += column[:, None] * row",
        ("conditional",),
        "mixture",
        quick=True,
    ),
    Mutation(
        "a sign in a conditional mean",
        "models/gmm/missing.py",
        "[:, lack] = -filled.reshape",
        "[:, lack] = filled.reshape",
        ("conditional",),
        "mixture",
    ),
    Mutation(
        "conditioning that leaves the components' shares as they were",
        "models/gmm/conditional.py",
        "return Mixture(r[0], means, np",
        "return Mixture(mixture.weights, means, np",
        ("conditional",),
        "mixture",
    ),
    Mutation(
        "a marginal that is not renormalised",
        "models/gmm/conditional.py",
        "return Mixture(mixture.weights, means, cov",
        "return Mixture(0.9 * mixture.weights, means, cov",
        ("conditional",),
        "mixture",
    ),
    Mutation(
        "draws with columns held fixed of half the covariance",
        "models/gmm/conditional.py",
        "factors = root(covariances[used // k, used % k])",
        "factors = root(0.5 * covariances[used // k, used % k])",
        ("given",),
        "mixture",
    ),
    Mutation(
        "a layer's log-determinant missing from a flow",
        "models/flow/transforms.py",
        "U, self.log_diagonal.sum(), self.shift)",
        "U, 0 * self.log_diagonal.sum(), self.shift)",
        ("integral",),
        "maf",
    ),
    Mutation(
        "a derivative without its square in a spline",
        "models/flow/spline.py",
        "* (s / q) ** 2).log()",
        "* (s / q)).log()",
        ("integral",),
        "spline",
    ),
    Mutation(
        "a softmax over the wrong axis",
        "models/vae/densities.py",
        "self.xp.log_softmax(l, -1)",
        "self.xp.log_softmax(l, 0)",
        ("samples",),
        "vae of levels",
    ),
    Mutation(
        "a sum over places of a cell where their mean belongs",
        "ppgen/family_density.py",
        "np.full(places, -math.log(places))",
        "np.zeros(places)",
        ("integral",),
        "rounded",
        quick=True,
    ),
    Mutation(
        "half of every cell filled",
        "ppgen/data/dequantise.py",
        "return (stratum.astype(np.float64) + inside) / draws",
        "return (stratum.astype(np.float64) + inside) / (2 * draws)",
        ("samples",),
        "counts",
    ),
    Mutation(
        "a cell's width that is not the grid's",
        "ppgen/data/real_columns.py",
        "v += width * (np.clip",
        "v += 3 * width * (np.clip",
        ("samples",),
        "rounded",
    ),
    Mutation(
        "the mass of an atom left out of its stretch",
        "ppgen/data/atoms.py",
        "slope[at] = np.log(share)",
        "slope[at] = 0 * np.log(share)",
        ("integral",),
        "proportions",
    ),
    Mutation(
        "noise that depends on the place of a row",
        "ppgen/data/dequantise.py",
        "    hashes = row_hashes(data, seed)\n",
        "    hashes = row_hashes(data, seed) + np.arange(len(data), dtype=np.uint64)\n",
        ("row alone",),
        "rounded",
        quick=True,
    ),
    Mutation(
        "a seed that is not kept",
        "ppgen/estimator.py",
        "seed_of(self.random_state if random_state is None else random_state)",
        "seed_of(None)",
        ("seed",),
        "mixture",
    ),
    Mutation(
        "a saved number that is rounded",
        "models/baseline/kernel_mixture.py",
        'np.array([self.bandwidth]),\n            "course"',
        'np.array([round(self.bandwidth, 3)]),\n            "course"',
        ("saved",),
        "kde",
    ),
    Mutation(
        "a stale shift in a saved codec",
        "ppgen/data/warp.py",
        "getattr(self, key) for key in _NUMBERS",
        'getattr(self, "scale" if key == "shift" else key) for key in _NUMBERS',
        ("saved",),
        "kde",
    ),
    Mutation(
        "log K missing from importance samples",
        "inference/importance.py",
        "log_mean[usable] = top[usable] + np.log(mean)",
        "log_mean[usable] = top[usable] + np.log(k * mean)",
        ("integral", "IWAE <= BDMC"),
        "vae",
    ),
    Mutation(
        "a standard error by the number of draws, not its root",
        "inference/importance.py",
        "np.sqrt(square / (k - 1) / k) / mean",
        "np.sqrt(square / (k - 1)) / k / mean",
        ("standard error",),
        "vae",
    ),
    Mutation(
        "log sqrt(2 pi) missing from a likelihood",
        "models/vae/densities.py",
        "- log_s - HALF_LOG_2PI",
        "- log_s",
        ("integral",),
        "vae",
    ),
    Mutation(
        "noise of the decoder with a variance for a deviation",
        "models/vae/densities.py",
        "return l + self.xp.exp(log_s) * self.xp.normal(l)",
        "return l + self.xp.exp(2 * log_s) * self.xp.normal(l)",
        ("samples",),
        "vae",
    ),
    Mutation(
        "annealing that leaves out where it began",
        "inference/ais.py",
        "(b - before) * (point.f.double() - point.g.double())",
        "(b - before) * point.f.double()",
        ("IWAE <= BDMC",),
        "vae",
    ),
    Mutation(
        "draws of a row's latents by its place",
        "ppgen/scoring.py",
        "mix(row_hashes(data, seed))",
        "mix(np.arange(len(data), dtype=np.uint64))",
        ("row alone",),
        "vae",
    ),
    Mutation(
        "a bound called exact",
        "ppgen/scoring.py",
        'kind="lower_bound" if noisy else ',
        "kind=",
        ("tests/test_contract_kinds.py::test_a_table_of_all_kinds_is_modelled_and_sampled[kde]",),
    ),
    Mutation(
        "k-hat of the small weights",
        "inference/importance.py",
        "pareto_khat(log_w[~bad])",
        "pareto_khat(-log_w[~bad])",
        ("tests/test_importance.py::test_khat_tells_a_proposal_that_is_too_narrow",),
    ),
    Mutation(
        "weights of rows ignored in a table",
        "models/baseline/independent.py",
        "np.bincount(codes[seen], weights=shares[seen], minlength=levels)",
        "np.bincount(codes[seen], minlength=levels)",
        ("tests/test_baseline.py::test_a_weight_counts_in_the_table_of_a_level",),
    ),
    Mutation(
        "one degree of freedom too many",
        "ppgen/density.py",
        "m / (m - 1) * float(np.sum(sums**2))",
        "float(np.sum(sums**2))",
        ("tests/test_density.py::test_mean_and_its_error",),
    ),
    Mutation(
        "held-out rows trained on",
        "models/nets/held_out.py",
        "self.numbers = np.flatnonzero(kept & ~held)",
        "self.numbers = np.flatnonzero(kept)",
        ("tests/test_debias_training.py::test_held_out_rows_are_never_trained_on",),
    ),
    Mutation(
        "the spread of a continuous node left out of its density",
        "models/bayesnet/conditionals.py",
        "-0.5 * z**2 - np.log(deviation) - _HALF_LOG_2PI",
        "-0.5 * z**2 - _HALF_LOG_2PI",
        ("integral",),
        "network",
    ),
    Mutation(
        "the density of what is given left in a conditional",
        "models/bayesnet/fitted.py",
        "values = density.values - before.values",
        "values = density.values",
        ("conditional", "conditional integral"),
        "network",
    ),
    Mutation(
        "draws of a network that forget what is given",
        "models/bayesnet/posterior.py",
        "self._entered(_evidence(first) if alike else known, nodes)",
        "self._entered({}, nodes)",
        ("tests/test_bayesnet_posterior.py::test_draws_given_values_are_those_of_the_conditional",),
    ),
    Mutation(
        "the parents of a table counted in another order",
        "models/bayesnet/families.py",
        "for node, size in zip(nodes, shape, strict=True):",
        "for node, size in zip(nodes[::-1], shape[::-1], strict=True):",
        ("tests/test_bayesnet.py::test_the_prior_of_tables_is_so_many_rows_spread_evenly",),
    ),
    Mutation(
        "the steepness of a node's flow left out of its density",
        "models/bayesnet/flow_node.py",
        "return e, deviation * np.exp(-log_slope)",
        "return e, deviation",
        ("tests/test_flow_node.py::test_a_flow_is_a_density_and_draws_invert_it",),
    ),
    Mutation(
        "the expected moments of a family in another order",
        "models/bayesnet/expected_counts.py",
        "order = [*range(1, moments.first.shape[-1]), 0]",
        "order = [*range(moments.first.shape[-1])]",
        ("tests/test_bayesnet_em.py::test_expected_sums_are_the_derivatives_of_the_log_density",),
    ),
    Mutation(
        "minibatches of a network's pair that count once",
        "models/bayesnet/numpyro.py",
        "handlers.scale(scale=(n_total or n) / n)",
        "handlers.scale(scale=1.0)",
        (
            "tests/test_bayesnet_pair.py::test_the_twins_have_one_log_joint_and_the_networks_density",
        ),
    ),
    Mutation(
        "a generator that lowers the loss of the discriminator",
        "models/gan/objectives.py",
        "lambda real, fake: softplus(-(fake - real)),",
        "lambda real, fake: softplus(-(real - fake)),",
        ("tests/test_adversarial.py::test_each_player_gains_by_moving_the_scores_its_way",),
    ),
    Mutation(
        "R2 at real rows",
        "models/gan/game.py",
        "* (of_real + of_fake)",
        "* (of_real + of_real)",
        ("tests/test_gan.py::test_r1_is_taken_at_real_rows_and_r2_at_generated_ones",),
    ),
    Mutation(
        "a GAN that is trained on all rows",
        "models/gan/trained.py",
        "seen.weights, self.device, seen.numbers)",
        "seen.weights, self.device)",
        ("tests/test_gan.py::test_held_out_rows_are_never_trained_on_and_alone_are_scored_by",),
    ),
    Mutation(
        "samples scored by rows trained on",
        "models/gan/trained.py",
        "self._side(unseen), self._side(seen), most",
        "self._side(seen), self._side(seen), most",
        ("tests/test_gan.py::test_held_out_rows_are_never_trained_on_and_alone_are_scored_by",),
    ),
    Mutation(
        "what went there and back compared with where it had gone",
        "models/translation/unpaired.py",
        "absolute(cycled, a).mean()",
        "absolute(cycled, there).mean()",
        ("tests/test_translation_losses.py::test_losses_without_pairs_are_their_formulas",),
    ),
    Mutation(
        "translations that leave by the statistics of where they came from",
        "models/translation/estimator.py",
        "return target.decode(made, rows)",
        "return source.decode(made, rows)",
        (
            "tests/test_translation.py"
            "::test_held_out_pictures_are_kept_as_they_were_translated[cyclegan-X and back]",
        ),
    ),
    Mutation(
        "the divergence of a flow with the other sign",
        "inference/diffusion/likelihood.py",
        "self.frame.scale(self.process, t), -k_t * trace]",
        "self.frame.scale(self.process, t), k_t * trace]",
        ("tests/test_diffusion_likelihood.py::test_the_density_integrates_to_one",),
    ),
    Mutation(
        "the volume of a flow's coordinates left out",
        "inference/diffusion/likelihood.py",
        "self.process.alpha(t)[:, None].log() - self.frame.scale(self.process, t).log()",
        "self.process.alpha(t)[:, None].log() - 0 * self.frame.scale(self.process, t).log()",
        ("tests/test_diffusion_likelihood.py::test_the_density_integrates_to_one",),
    ),
    Mutation(
        "a trace by probes without what is known of it",
        "inference/diffusion/likelihood.py",
        "found = (vj * v).sum(2) - (frame.products(process, t, v) * v).sum(2)",
        "found = (vj * v).sum(2)",
        (
            "tests/test_diffusion_likelihood.py"
            "::test_probes_of_a_gaussian_have_no_error_beside_its_own_trace",
        ),
    ),
    Mutation(
        "a variational bound with twice its weight",
        "inference/diffusion/bound.py",
        "(0.5 * log_snr.exp() / density * square)",
        "(log_snr.exp() / density * square)",
        ("tests/test_diffusion_bound.py::test_the_bound_of_a_mixtures_denoiser_is_its_density",),
    ),
    Mutation(
        "squared errors of levels left out of a bound",
        "inference/diffusion/bound.py",
        "square = (x - denoised(self.denoise, x_t, t, context)).square().sum(1)",
        "square = (x - denoised(self.denoise, x_t, t, context)).square()[:, :numbers].sum(1)",
        (
            "tests/test_diffusion_bound.py"
            "::test_the_bound_of_levels_is_their_mass_under_the_exact_denoiser",
        ),
    ),
    Mutation(
        "a score that points away from rows",
        "inference/diffusion/process.py",
        "return -self.noise(x_t, data, t)",
        "return self.noise(x_t, data, t)",
        (
            "tests/test_diffusion_process.py::test_the_score_of_an_exact_mixture_is_the_gradient_of_its_log_density",
        ),
    ),
    Mutation(
        "ancestral steps that draw too little",
        "inference/diffusion/samplers.py",
        "math.sqrt(1 - q**2) * eps)",
        "(1 - q) * eps)",
        (
            "tests/test_diffusion_samplers.py::test_an_ancestral_step_draws_from_the_posterior_of_ddpm",
        ),
    ),
    Mutation(
        "DPM-Solver++ that leans back",
        "inference/diffusion/samplers.py",
        "straight = data + h /",
        "straight = data - h /",
        (
            "tests/test_diffusion_samplers.py::test_errors_fall_with_the_steps_as_the_order_says[dpm2m]",
        ),
    ),
    Mutation(
        "noise by the place of a row in its batch",
        "inference/diffusion/row_noise.py",
        "^ rows.astype(np.uint64))",
        "^ np.arange(len(rows), dtype=np.uint64))",
        ("tests/test_diffusion_samplers.py::test_noise_of_a_row_is_the_same_in_every_batch",),
    ),
    Mutation(
        "particles without the twist that they were weighted by before",
        "inference/diffusion/twisted.py",
        "log_ratio + twist.log_psi - before.log_psi",
        "log_ratio + twist.log_psi",
        (
            "tests/test_diffusion_conditioning.py::test_the_log_evidence_is_that_of_what_is_observed",
        ),
    ),
    Mutation(
        "a proposal's density left out of the weights",
        "inference/diffusion/twisted.py",
        "log_weights + log_ratio + twist.log_psi",
        "log_weights + twist.log_psi",
        (
            "tests/test_diffusion_conditioning.py::test_the_log_evidence_is_that_of_what_is_observed",
        ),
    ),
    Mutation(
        "noise with a deviation for a variance in moment matching",
        "inference/diffusion/mmps.py",
        "max(observation.sigma_y, _LEAST_NOISE) ** 2",
        "max(observation.sigma_y, _LEAST_NOISE)",
        (
            "tests/test_diffusion_conditioning.py::test_moment_matching_is_exact_where_rows_are_normal[linear-linear]",
        ),
    ),
    Mutation(
        "the variance of a step without what is unknown of a row",
        "inference/diffusion/reverse_steps.py",
        "return p * (self.alpha_s * (1 - self.q**2)) ** 2 + self.ddpm_variance",
        "return p * 0 + self.ddpm_variance",
        (
            "tests/test_diffusion_conditioning.py::test_steps_are_those_of_a_gaussian_with_the_same_variance[linear]",
        ),
    ),
)
