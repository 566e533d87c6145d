"""`domicile witness serve`: a C2SP witness for a custodian, a regulator or a consumer body."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from domicile.cli.output import Output, output_options


@click.group(short_help="Cosign the logs of others.")
def command() -> None:
    """Cosign the logs of others, so that nobody can rewrite or backdate them alone."""


@command.command(short_help="Answer add-checkpoint requests.")
@click.option("--key", type=click.Path(path_type=Path), metavar="FILE", required=True,
              help="The witness's private key: domicile log keygen --witness.")  # fmt: skip
@click.option("--state", type=click.Path(path_type=Path), metavar="DIR", required=True,
              help="Where the last head of each log is kept.")  # fmt: skip
@click.option("--log", "logs", multiple=True, required=True, metavar="VKEY",
              help="The verifier key, or a file of it, of a log to watch; repeat it.")  # fmt: skip
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8787, show_default=True,
              help="The port; 0 takes a free one.")  # fmt: skip
@output_options
def serve(key: Path, state: Path, logs: tuple[str, ...], host: str, port: int, out: Output) -> int:
    """Answer `POST /add-checkpoint` (c2sp.org/tlog-witness) until interrupted.

    Never start it with an older copy of its state: it would cosign a second history.
    """
    from domicile.errors import UsageError
    from domicile.evidence.keys import SigningKey, VerifierKey
    from domicile.evidence.witness import Witness
    from domicile.evidence.witness_http import server

    signing = SigningKey.load(key)
    signing.cosign("", 0)  # refuses a key of another type before anything is served
    try:
        watching = [VerifierKey.load(each) for each in logs]
        serving = server(Witness(signing, state, watching), host, port)
    except OSError as e:
        raise UsageError(f"cannot serve on {host}:{port} from {state}: {e.strerror}") from e
    address = f"http://{host}:{serving.server_port}"
    out.emit(
        {"url": address, "key": str(signing.verifier), "logs": [str(k) for k in watching]},
        lambda: out.say(f"{signing.verifier} answers on {address}"),
    )
    sys.stdout.flush()  # whoever started this in the background reads the address
    try:
        serving.serve_forever()
    except KeyboardInterrupt:
        out.detail("stopped")
    finally:
        serving.server_close()
    return 0
