"""Who may ask, and how much."""

from __future__ import annotations

import json
import ssl
import stat
import subprocess
import sys

import httpx2
import pytest
from running_server import named, running

from sparrowlm.foundation.errors import DamagedFileError, SettingError
from sparrowlm.serving.access import Caller, Gate, KeyRecord, add_key, read_keys
from sparrowlm.serving.complaints import Refusal
from sparrowlm.serving.settings import ServerSettings, is_loopback


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_a_key_is_kept_as_a_hash_and_found_again(tmp_path):
    path = tmp_path / "keys.json"
    first, second = add_key(path, "小明"), add_key(path, "b", requests_per_minute=3)
    assert first not in path.read_text("utf-8") and first[11:] not in path.read_text("utf-8")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    gate = Gate(ServerSettings(keys_file=path))
    assert gate.caller({"authorization": f"Bearer {first}"}).record.name == "小明"
    assert gate.caller({"authorization": f"bearer  {second} "}).record.requests_per_minute == 3
    replaced = add_key(path, "b")
    assert len(read_keys(path)) == 2 and replaced != second
    for wrong in ("", "Bearer x", f"Basic {first}", "Bearer ", f"Bearer {second[:-1]}"):
        with pytest.raises(Refusal) as refused:
            gate.caller({"authorization": wrong} if wrong else {})
        assert refused.value.status == 401


@pytest.mark.parametrize("content", ["", "[]", '{"keys": [{"name": 1}]}', '{"keys": 3}', "{"])
def test_a_damaged_file_of_keys_is_refused(tmp_path, content):
    path = tmp_path / "keys.json"
    path.write_text(content)
    with pytest.raises(DamagedFileError):
        read_keys(path)
    with pytest.raises(DamagedFileError):
        add_key(path, "a")
    assert path.read_text() == content


def test_requests_a_minute():
    clock = Clock()
    caller = Caller(KeyRecord("a", "", requests_per_minute=6), clock)
    for _request in range(6):
        caller.ask()
    with pytest.raises(Refusal) as refused:
        caller.ask()
    assert refused.value.status == 429 and refused.value.retry_after_seconds == pytest.approx(10)
    clock.now = 10.1
    caller.ask()
    with pytest.raises(Refusal):
        caller.ask()
    clock.now = 1000
    for _request in range(6):  # what was not used does not pile up
        caller.ask()
    with pytest.raises(Refusal):
        caller.ask()


def test_tokens_a_day():
    clock = Clock()
    caller = Caller(KeyRecord("a", "", tokens_per_day=100), clock)
    caller.use(99)
    caller.ask()
    caller.use(1)
    clock.now = 3600
    with pytest.raises(Refusal) as refused:
        caller.ask()
    assert refused.value.retry_after_seconds == pytest.approx(82_800)
    clock.now = 86_400
    caller.ask()


def test_loopback_is_known():
    for host in ("localhost", "127.0.0.1", "127.1.2.3", "::1", "[::1]"):
        assert is_loopback(host)
    for host in ("0.0.0.0", "::", "192.168.0.1", "example.com", "localhost.example.com"):
        assert not is_loopback(host)


def test_beyond_this_computer_keys_are_needed(tmp_path):
    with pytest.raises(SettingError, match="keys"):
        ServerSettings(host="0.0.0.0")
    add_key(tmp_path / "k", "a")
    ServerSettings(host="0.0.0.0", keys_file=tmp_path / "k")
    with pytest.raises(SettingError):
        ServerSettings(certificate=tmp_path / "k")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "localhost:8000"}, None),
        ({"host": "[::1]:8000"}, None),
        ({"host": "LOCALHOST"}, None),
        ({"host": "evil.example"}, 421),
        ({"host": "127.0.0.1.evil.example"}, 421),
        ({"host": ""}, 421),
        ({}, 421),
        ({"host": "localhost:1", "origin": "http://localhost:1"}, None),
        ({"host": "localhost:1", "origin": "http://localhost:2"}, 403),
        ({"host": "localhost:1", "origin": "https://localhost:1"}, 403),
        ({"host": "localhost:1", "origin": "null"}, 403),
        ({"host": "localhost:1", "origin": "https://friend.example"}, None),
        ({"host": "pi.local:1"}, None),
    ],
)
def test_foreign_pages_are_kept_out(headers, status):
    gate = Gate(
        ServerSettings(allowed_hosts=("pi.local",), allowed_origins=("https://friend.example/",))
    )
    if status is None:
        gate.check_place(headers, "http")
        return
    with pytest.raises(Refusal) as refused:
        gate.check_place(headers, "http")
    assert refused.value.status == status


def test_a_server_with_keys(models, tmp_path):
    path = tmp_path / "keys.json"
    key = add_key(path, "a", requests_per_minute=3)
    other = add_key(path, "b", tokens_per_day=20)
    with running(f"m={models['quick']}", "--keys", str(path)) as server:
        body = {"prompt": "The cat", "max_tokens": 2}
        with server.client() as client:
            assert client.get("/health").status_code == 200
            assert client.get("/").status_code == 200
            for path in ("/v1/models", "/metrics", "/openapi.json"):
                assert client.get(path).status_code == 401
            refused = client.post("/v1/completions", json=body)
            assert refused.status_code == 401 and refused.headers["www-authenticate"] == "Bearer"
            assert refused.json()["error"]["type"] == "authentication_error"
            chinese = client.post(
                "/v1/completions", json=body, headers={"accept-language": "zh-CN,en;q=0.5"}
            )
            assert "密钥" in chinese.json()["error"]["message"]
        with server.client(headers={"authorization": f"Bearer {key}"}) as client:
            answers = [client.post("/v1/completions", json=body) for _request in range(5)]
            assert [answer.status_code for answer in answers] == [200] * 3 + [429] * 2
            assert 1 <= int(answers[-1].headers["retry-after"]) <= 21
        with server.client(headers={"authorization": f"Bearer {other}"}) as client:
            statuses = [client.post("/v1/completions", json=body).status_code for _ in range(4)]
            assert statuses == [200, 200, 200, 429]  # 9 tokens each: 18 < 20 < 27
        assert key not in "".join(server.complaints)


def test_a_browser_of_another_site_gets_nothing(server):
    with server.client() as client:
        body = {"model": "quick", "prompt": "a", "max_tokens": 1}
        for headers in ({"host": "evil.example"}, {"origin": "https://evil.example"}):
            assert client.post("/v1/completions", json=body, headers=headers).status_code >= 400
        asked = client.request("OPTIONS", "/v1/completions", headers={"origin": server.address})
        assert asked.status_code == 204
        assert asked.headers["access-control-allow-origin"] == server.address


def test_tls(models, tmp_path):
    pytest.importorskip("cryptography", reason="makes the certificate")
    certificate, key = _certificate(tmp_path)
    words = ["--tls-certificate", str(certificate), "--tls-key", str(key)]
    with running(f"m={models['quick']}", *words) as server:
        assert server.address.startswith("https://")
        trusted = ssl.create_default_context(cafile=str(certificate))
        with httpx2.Client(base_url=server.address, verify=trusted, trust_env=False) as client:
            answer = client.post("/v1/completions", json={"prompt": "a", "max_tokens": 2})
        assert answer.status_code == 200


def _certificate(folder):
    import datetime
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sparrow")])
    now = datetime.datetime.now(datetime.UTC)
    places = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name)
        .public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(places, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    certificate, private = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate, private


def test_the_command_refuses_in_a_sentence(models, tmp_path):
    def said(*words):
        command = [sys.executable, "-m", "sparrowlm", "serve", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode in (1, 2) and "Traceback" not in done.stderr, done.stderr
        return done.stderr

    model = str(models["quick"])
    assert "--new-key" in said(model, "--host", "0.0.0.0")
    assert "No model" in said()
    assert "there" in said(str(tmp_path / "none")).lower()
    assert "70000" in said(model, "--port", "70000")
    assert "quick" in said(*named({"quick": models["quick"]}), model)
    assert "chat" in said(model, "--chat-format", "nonsense")
    assert "--keys" in said("--new-key", "a")
    made = subprocess.run(
        [sys.executable, "-m", "sparrowlm", "serve", "--new-key", "a", "--keys",
         str(tmp_path / "k.json"), "--json"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert json.loads(made.stdout)["key"].startswith("sk-sparrow-")
