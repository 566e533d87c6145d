"""The log's files behind Debian's nginx, with nothing but a root: the verifier reads them there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from domicile.demo.postgres import free_port
from domicile.evidence.verify import fsck
from tests.devices.daemons import Daemon, directory, program
from tests.evidence.making import KEY, entries, make_log
from tests.evidence.test_witness import W1, cosigned_by
from tests.verifier.running import verify

CONFIG = """\
daemon off;
pid {dir}/nginx.pid;
error_log {dir}/error.log;
worker_processes 1;
events {{}}
http {{
    access_log off;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    server {{
        listen 127.0.0.1:{http};
        location / {{
            root {dir}/log;
        }}
    }}
}}
"""
"""As in docs/verifier.md, but for what lets it run without root."""


@contextmanager
def served(log: Path) -> Iterator[tuple[str, Path]]:
    """A copy of a log's files behind nginx: its address, and where the copy is."""
    with directory("dom-log-") as where:
        shutil.copytree(log, where / "log")
        daemon = Daemon(where, {"http": free_port()})
        config = where / "nginx.conf"
        config.write_text(CONFIG.format(dir=where, **daemon.ports))
        try:
            daemon.start(
                program("nginx"), "-p", str(where), "-c", str(config), "-e",
                str(where / "error.log"),
            )  # fmt: skip
            yield f"http://127.0.0.1:{daemon.ports['http']}", where / "log"
        finally:
            daemon.stop()


def test_tiles_served_by_nginx_verify(tmp_path: Path) -> None:
    log = make_log(tmp_path / "log", 1100)
    log.publish(cosigned_by(log, W1))
    with served(tmp_path / "log") as (address, copy):
        code, said = verify("log", address, str(KEY.verifier), "--witness", str(W1.verifier))
        assert code == 0, said
        assert "1100 entries under the signed root" in said
        assert "cosigned by custodian.example/w1" in said
        log.append(entries(1100, 1300))
        shutil.copytree(tmp_path / "log", copy, dirs_exist_ok=True)  # as a mirror does
        code, said = verify("log", address, str(KEY.verifier))
        assert (code, "1300 entries" in said) == (0, True)
        assert fsck(copy, KEY.verifier) == []
        bundle = copy / "tile/entries/004"
        bundle.write_bytes(bundle.read_bytes().replace(b'"rows":1150,', b'"rows":1151,', 1))
        code, said = verify("log", address, str(KEY.verifier))
        assert (code, "do not give the signed root" in said) == (1, True)
        bundle.unlink()
        code, said = verify("log", address, str(KEY.verifier))
        assert (code, "tile/entries/004 is missing" in said) == (1, True)
