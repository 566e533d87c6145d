"""`domicile log keygen, cosign, rotate, rotate-people, destroy-people`: keys of the evidence."""

from __future__ import annotations

from pathlib import Path

import click

from domicile.cli.output import Output, estate_option, output_options
from domicile.counted import counted


@click.command(short_help="Make a key for an approver or a witness.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="The key's name, as oracle.example/custodian.")
@click.option("--witness", is_flag=True, help="A key that cosigns checkpoints, and nothing else.")
@output_options
def keygen(file: Path, name: str, witness: bool, out: Output) -> int:
    """Write a new private key to FILE, mode 0600, and print its verifier key.

    Name it after a role, not after a person: its name stands in the log for ever.
    """
    from domicile.evidence.keys import COSIGNATURE, ED25519, SigningKey

    key = SigningKey.generate(name, COSIGNATURE if witness else ED25519)
    key.save(file)
    out.emit({"name": name, "key": str(key.verifier)}, lambda: out.say(str(key.verifier)))
    return 0


@click.command(short_help="Sign the log with a new key from here on.")
@estate_option
@output_options
def rotate(estate: Path, out: Output) -> int:
    """Replace the log's signing key by an entry that both keys sign.

    Verifiers go on with the first key: later ones are followed from it.
    """
    from domicile.evidence.place import rotate_log_key

    key, index = rotate_log_key(*_estate(estate))
    out.emit(
        {"key": str(key), "index": index}, lambda: out.say(f"entry {index}: signed by {key} now")
    )
    return 0


@click.command(short_help="Begin a new log, when the key was lost or stolen.")
@estate_option
@click.option("--cause", type=click.Choice(["lost", "stolen"]), required=True,
              help="What became of the signing key.")  # fmt: skip
@output_options
def succeed(estate: Path, cause: str, out: Output) -> int:
    """End the log as it is and begin another, whose first entry names the old one's last head.

    Hand the new verifier key on by another way than the log, as you did the first.
    """
    from domicile.evidence.succession import succeed as begin

    key = begin(*_estate(estate), cause)
    out.emit({"key": str(key)}, lambda: out.say(f"a new log begins, signed by {key}"))
    return 0


@click.command(short_help="Move the log to an object store.")
@click.argument("address", metavar="S3-ADDRESS")
@estate_option
@output_options
def move(address: str, estate: Path, out: Output) -> int:
    """Move the log to s3://BUCKET/PREFIX: copy it there, read it back, and go on there.

    Credentials and endpoint come from the environment (AWS_ACCESS_KEY_ID, …).
    """
    from domicile.evidence.relocation import relocate

    size = relocate(*_estate(estate), address)
    out.emit(
        {"place": address, "size": size},
        lambda: out.say(f"the log's {counted(size, 'entry', 'entries')} are at {address} now"),
    )
    return 0


@click.command(short_help="Let new commitments derive from a new secret.")
@estate_option
@output_options
def rotate_people(estate: Path, out: Output) -> int:
    """Make a new people secret; older ones stay for the receipts that were made with them."""
    from domicile.evidence.place import rotate_commitments

    generation = rotate_commitments(*_estate(estate))
    out.emit({"generation": generation}, lambda: out.say(f"generation {generation} is in use"))
    return 0


@click.command(short_help="Destroy the people secret for good.")
@estate_option
@click.option("--yes", is_flag=True, help="Without being asked.")
@output_options
def destroy_people(estate: Path, yes: bool, out: Output) -> int:
    """Destroy every people secret: nothing in the log can be tied to anyone afterwards.

    The log still verifies, and receipts that people have still do. No receipt can be cut any more.
    Destroy the backups of .domicile/keys too.
    """
    from domicile.evidence.kinds import make
    from domicile.evidence.place import destroy_commitments, generations, open_log

    state, name = _estate(estate)
    if not yes:
        click.confirm("Destroy the people secret? This cannot be undone.", abort=True, err=True)
    generation = generations(state)
    destroy_commitments(state)
    log = open_log(state, name)
    log.append([make("commitment_key", name, event="destroyed", generation=generation)])
    out.emit(
        {"generation": generation},
        lambda: out.say("destroyed: no commitment and no receipt can be tied to anyone any more"),
    )
    return 0


@click.command(short_help="Ask the estate's witnesses to cosign the head.")
@estate_option
@output_options
def cosign(estate: Path, out: Output) -> int:
    """Ask every declared witness to cosign the log's head, and publish it with what they signed.

    Exits 1 when one refused; the refusal is an entry of the log.
    """
    from datetime import UTC, datetime

    from domicile.errors import UsageError
    from domicile.estate.load import load_estate
    from domicile.evidence.cosign import cosign as ask
    from domicile.evidence.keys import VerifierKey
    from domicile.evidence.place import open_log, state_directory

    declared = load_estate(estate)
    if not declared.witnesses:
        raise UsageError(f"{estate} declares no witnesses", hint="see docs/declarations.md")
    log = open_log(state_directory(estate), declared.name)
    size = log.size
    witnesses = [(w.name, VerifierKey.parse(w.key), w.url) for w in declared.witnesses]
    asked = ask(log, declared.name, witnesses)
    answers = [
        {"witness": a.name, "cosigned": not a.refused, "refused": a.refused or None,
         "known_size": a.known_size,
         "time": None if a.refused else datetime.fromtimestamp(a.time, UTC).isoformat()}
        for a in asked
    ]  # fmt: skip

    def human() -> None:
        for answer in answers:
            what = f"cosigned at {answer['time']}" if answer["cosigned"] else "refused: "
            out.say(f"{answer['witness']}: {what}{answer['refused'] or ''}")

    out.emit({"size": size, "answers": answers}, human)
    return 1 if any(a.refused for a in asked) else 0


def _estate(file: Path) -> tuple[Path, str]:
    """The state directory of an estate that has a log, and the estate's name."""
    from urllib.parse import unquote

    from domicile.errors import UsageError
    from domicile.evidence.keys import VerifierKey
    from domicile.evidence.place import state_directory, verifier_path

    state = state_directory(file)
    current = verifier_path(state)
    before = sorted(current.parent.glob(f"{current.name}.[0-9]*"))  # a succession was stopped
    key = current if current.exists() or not before else before[-1]
    if not key.exists():
        raise UsageError(
            f"there is no log beside {file}", hint="name the estate with --estate; plan starts it"
        )
    origin = VerifierKey.load(key).name
    return state, unquote(origin.removeprefix("domicile/").partition("/")[0])
