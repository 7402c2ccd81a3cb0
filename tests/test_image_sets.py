"""Downloads from a server that this test runs, and public sets of images from such a server."""

from __future__ import annotations

import gzip
import hashlib
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from ppgen.data import download, image_sets, load_builtin, read
from ppgen.data.download import cache_folder, fetch
from ppgen.data.image_sets import IMAGE_SETS, TEST, TRAIN, load_images
from ppgen.errors import InputError

CONTENT = np.random.default_rng(0).bytes(50_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """A server of files.

    Attributes:
        files: path -> content.
        ranges: whether parts are sent.
        chunked: whether answers are of unstated length, and end too early.
        cuts: after how many bytes the next answers end too early.
        asked: (path, range asked for) of each request.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {"/file": CONTENT}
        self.ranges, self.chunked, self.cuts = True, False, []
        self.asked: list[tuple[str, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    close_connection = True

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.asked.append((self.path, asked))
        content = self.server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        start = int(asked[6:-1]) if asked and self.server.ranges else 0
        if start >= len(content) and start:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            last = len(content) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{len(content)}")
        if self.server.chunked:  # no length is told, and the end does not come
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"%x\r\n" % len(content) + content[:-7])
            return
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        end = start + self.server.cuts.pop(0) if self.server.cuts else None
        self.wfile.write(content[start:end])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(tmp_path, monkeypatch) -> Iterator[Server]:
    monkeypatch.setenv("PPGEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("PPGEN_DATA", raising=False)
    running = Server()
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield running
    running.shutdown()
    running.server_close()
    thread.join()


# Downloads -------------------------------------------------------------------------------------


def test_fetched_once(server, tmp_path):
    seen = []
    path = fetch(f"{server.url}/file", SHA256, "a/b", progress=lambda *told: seen.append(told))
    assert path == tmp_path / "cache" / "a" / "b"
    assert path.read_bytes() == CONTENT
    assert seen[0] == (0, 50_000)
    assert seen[-1] == (50_000, 50_000)
    assert fetch(f"{server.url}/file", SHA256, "a/b") == path
    assert server.asked == [("/file", None)]
    # A file that is damaged is fetched anew; an absolute path is one outside the cache.
    path.write_bytes(b"damaged")
    assert fetch(f"{server.url}/file", SHA256, path).read_bytes() == CONTENT
    assert {p.name for p in path.parent.iterdir()} == {"b", ".lock"}


@pytest.mark.parametrize("ranges", [True, False])
def test_goes_on_after_an_interruption(server, ranges):
    server.ranges, server.cuts = ranges, [20_000]
    if ranges:
        assert fetch(f"{server.url}/file", SHA256, "f").read_bytes() == CONTENT
        assert server.asked[1:] == [("/file", "bytes=20000-")]
    else:  # the second answer begins anew
        server.cuts = [20_000, 30_000]
        assert fetch(f"{server.url}/file", SHA256, "f").read_bytes() == CONTENT
        assert len(server.asked) == 3


def test_an_answer_of_unstated_length_that_is_cut_off(server):
    server.ranges, server.chunked = False, True
    with pytest.raises(InputError, match=r"the connection ended after [\d,]+ bytes \("):
        fetch(f"{server.url}/file", SHA256, "f")
    server.chunked = False
    assert fetch(f"{server.url}/file", SHA256, "f").read_bytes() == CONTENT


def test_what_was_there_is_kept_for_the_next_time(server):
    server.cuts = [20_000, 0]
    with pytest.raises(InputError, match=r"ended after 20,000 of 50,000 bytes; 20,000 bytes are"):
        fetch(f"{server.url}/file", SHA256, "f")
    part = cache_folder() / "f.part"
    assert part.read_bytes() == CONTENT[:20_000]
    assert not (cache_folder() / "f").exists()
    server.asked.clear()
    assert fetch(f"{server.url}/file", SHA256, "f").read_bytes() == CONTENT
    assert server.asked == [("/file", "bytes=20000-")]
    assert not part.exists()


@pytest.mark.parametrize("start", [CONTENT, CONTENT[:900] + b"other", b"x" * 60_000])
def test_parts_of_any_kind(server, start):
    cache_folder().mkdir(parents=True)
    (cache_folder() / "f.part").write_bytes(start)
    assert fetch(f"{server.url}/file", SHA256, "f").read_bytes() == CONTENT


def test_another_range_than_asked_for(server, monkeypatch):
    cache_folder().mkdir(parents=True)
    (cache_folder() / "f.part").write_bytes(CONTENT[:100])
    monkeypatch.setattr(download, "_stated", lambda answer, pattern: 7)
    with pytest.raises(InputError, match="another range than was asked for"):
        fetch(f"{server.url}/file", SHA256, "f")


def test_mirrors_in_order(server):
    server.files["/wrong"] = b"something else"
    urls = [f"{server.url}/absent", f"{server.url}/wrong", f"{server.url}/file", "http://nowhere/"]
    assert fetch(urls, SHA256, "f").read_bytes() == CONTENT
    assert [path for path, _ in server.asked] == ["/absent", "/wrong", "/file"]


def test_wrong_content_is_refused(server):
    server.files["/file"] = b"something else"
    came = hashlib.sha256(b"something else").hexdigest()
    with pytest.raises(InputError, match=f"/file: expected SHA-256 {SHA256}, got {came}"):
        fetch(f"{server.url}/file", SHA256, "f")
    assert {p.name for p in cache_folder().iterdir()} == {".lock"}


def test_no_connection(server, tmp_path):
    with socket.socket() as held:  # a port that nobody listens at
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}/f"
        with pytest.raises(InputError, match="could not be reached") as caught:
            fetch(url, SHA256, "f")
    for told in (url, str(tmp_path / "cache" / "f"), SHA256):
        assert told in str(caught.value)
    with pytest.raises(InputError, match="the server answers 404"):
        fetch(f"{server.url}/absent", SHA256, "f")
    with pytest.raises(InputError, match="is no address"):
        fetch("file:///etc/hosts", SHA256, "f")


def test_a_folder_that_cannot_be_written(server, tmp_path):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(InputError, match=r"cannot be written.*PPGEN_CACHE"):
        fetch(f"{server.url}/file", SHA256, "f")


def test_two_at_once_fetch_once(server):
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(fetch(f"{server.url}/file", SHA256, "f")))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert found[0].read_bytes() == CONTENT
    if sys.platform != "win32":
        assert len(server.asked) == 1


def test_cache_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("PPGEN_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    if sys.platform != "win32":
        assert cache_folder() == tmp_path / ".cache" / "ppgen"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder().is_absolute()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert cache_folder() == tmp_path / "x" / "ppgen"
    monkeypatch.setenv("PPGEN_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"


# Sets of images --------------------------------------------------------------------------------


def idx(array) -> bytes:
    head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return gzip.compress(head + array.tobytes())


@pytest.fixture
def small(server, monkeypatch):
    """A small set under the name of MNIST: 60 and 10 images that hold their own number."""
    images = np.repeat(np.arange(70, dtype=np.uint8), 784).reshape(70, 28, 28)
    labels = (np.arange(70) % 10).astype(np.uint8)
    arrays = (images[:60], labels[:60], images[60:], labels[60:])
    files = {name: idx(array) for name, array in zip((*TRAIN, *TEST), arrays, strict=True)}
    server.files |= {f"/mnist/{name}": content for name, content in files.items()}
    own = replace(
        IMAGE_SETS["mnist"],
        hashes={name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
        mirrors=(f"{server.url}/mnist/",),
    )
    monkeypatch.setitem(image_sets.IMAGE_SETS, "mnist", own)
    return files


def numbers(data) -> list[int]:
    return data.images[:, 0, 0, 0].tolist()


def test_downloaded_by_name(small, server, tmp_path):
    data = read("mnist")
    assert data.images.shape == (70, 1, 28, 28)
    assert data.images.dtype == np.uint8
    assert numbers(data.train) == list(range(50))
    assert numbers(data.valid) == list(range(50, 60))
    assert numbers(data.test) == list(range(60, 70))
    assert data.test.target.tolist() == list(range(10))
    assert len(server.asked) == 4
    assert (tmp_path / "cache" / "mnist" / TRAIN[0]).exists()
    assert read("mnist").fingerprint() == data.fingerprint()
    some = load_builtin("mnist", n=20)
    np.testing.assert_array_equal(some.images[:, 0, 0, 0] % 10, some.target)
    with pytest.raises(InputError, match="mnist has 70 rows; 71 were asked for"):
        load_builtin("mnist", n=71)
    assert len(server.asked) == 4


def test_from_a_local_folder(small, server, tmp_path, monkeypatch):
    folder = tmp_path / "data" / "mnist"
    folder.mkdir(parents=True)
    for name in TRAIN:
        (folder / name).write_bytes(small[name])
    data = load_images("mnist", folder)
    assert numbers(data.train) == list(range(50))
    assert numbers(data.valid) == list(range(50, 55))
    assert numbers(data.test) == list(range(55, 60))
    monkeypatch.setenv("PPGEN_DATA", str(tmp_path / "data"))
    assert read("mnist").fingerprint() == data.fingerprint()
    (folder / TEST[0]).write_bytes(small[TEST[0]])
    with pytest.raises(InputError, match=f"does not hold {TEST[1]} of mnist"):
        load_images("mnist", folder)
    (folder / TEST[1]).write_bytes(small[TEST[1]])
    assert numbers(read("mnist").test) == list(range(60, 70))
    assert server.asked == []
    (folder / TEST[1]).write_bytes(small[TRAIN[1]])
    with pytest.raises(InputError, match=f"{TEST[1]} is not the official file"):
        read("mnist")
    with pytest.raises(InputError, match="does not hold"):
        load_images("mnist", tmp_path)
    # A folder of data without this set: it is downloaded.
    monkeypatch.setenv("PPGEN_DATA", str(tmp_path))
    assert len(read("mnist")) == 70
    assert len(server.asked) == 4


def test_names_and_pins(server):
    with pytest.raises(InputError, match="Did you mean 'fashion_mnist'"):
        load_images("fashion-mnist")
    with pytest.raises(InputError, match=r"Built in are .*fashion_mnist"):
        read("fasion")
    for official in IMAGE_SETS.values():
        assert set(official.hashes) == {*TRAIN, *TEST}
        assert all(len(bytes.fromhex(sha256)) == 32 for sha256 in official.hashes.values())
        assert all(m.startswith("http") and m.endswith("/") for m in official.mirrors)
        assert len(official.classes) == 10
    assert server.asked == []  # to name them downloads nothing
