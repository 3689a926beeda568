"""``rayon users`` and ``rayon keys``: who may ask the service."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated, Any

import typer
from rich.table import Table

from rayon.cli.console import out, print_json, say
from rayon.cli.options import Json
from rayon.errors import RayonError
from rayon.operations.accounts import COMMAND_LINE as ACTOR
from rayon.operations.accounts import Accounts, Role
from rayon.operations.passwords import new_password
from rayon.settings import Settings
from rayon.store.accounts import ApiKey, User
from rayon.store.database import Database
from rayon.store.schema import upgrade_schema

users = typer.Typer(no_args_is_help=True, help="Who may ask the service.")
keys = typer.Typer(no_args_is_help=True, help="API keys, for programs.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the user.", show_default=False)]
StdinPassword = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input.")
]


@users.command()
def create(
    name: Name,
    role: Annotated[Role, typer.Option(help="What they may do.")] = Role.CLIENT,
    password_stdin: StdinPassword = False,
) -> None:
    """Create a user; asks for a password, or makes one and prints it where there is no terminal.

    Example: rayon users create ann --role admin
    """
    accounts = _accounts()
    given = _password(password_stdin)
    password = given or new_password()
    accounts.create(name, password, role, ACTOR)
    say(f"Created {name} ({role}).")
    if not given:
        out.print(password, markup=False)


@users.command("list")
def list_(as_json: Json = False) -> None:
    """List all users.

    Example: rayon users list
    """
    found = _accounts().users()
    if as_json:
        print_json({"users": [_user(user) for user in found]})
        return
    table = Table("name", "role", "since", "")
    for user in found:
        table.add_row(
            user.name, user.role, f"{user.created_at:%Y-%m-%d}", "disabled" if user.disabled else ""
        )
    out.print(table)


@users.command()
def password(name: Name, password_stdin: StdinPassword = False) -> None:
    """Give a user a new password.

    Example: rayon users password ann
    """
    given = _password(password_stdin)
    fresh = given or new_password()
    _accounts().change(name, ACTOR, password=fresh)
    say(f"{name} has a new password.")
    if not given:
        out.print(fresh, markup=False)


@users.command()
def role(
    name: Name,
    new: Annotated[
        Role, typer.Argument(metavar="ROLE", help="client, reviewer or admin.", show_default=False)
    ],
) -> None:
    """Give a user another role.

    Example: rayon users role ann reviewer
    """
    _accounts().change(name, ACTOR, role=new)
    say(f"{name} is {new} now.")


@users.command()
def disable(name: Name) -> None:
    """Refuse a user all access, without deleting anything.

    Example: rayon users disable ann
    """
    _accounts().change(name, ACTOR, disabled=True)
    say(f"{name} is disabled.")


@users.command()
def enable(name: Name) -> None:
    """Let a disabled user in again.

    Example: rayon users enable ann
    """
    _accounts().change(name, ACTOR, disabled=False)
    say(f"{name} may sign in again.")


@users.command()
def delete(name: Name) -> None:
    """Delete a user with their keys; their predictions and validations stay.

    Example: rayon users delete ann
    """
    _accounts().delete(name, ACTOR)
    say(f"{name} is deleted.")


@keys.command("create")
def create_key(
    name: Name, purpose: Annotated[str, typer.Option("--for", help="What the key is for.")] = "command line"
) -> None:
    """Create an API key for a user and print its secret, this once.

    Example: rayon keys create shop --for import
    """
    key, secret = _accounts().create_key(name, purpose, ACTOR)
    say(f"Created {key.prefix}… ({key.id}) for {name}. It is not shown again:")
    out.print(secret, markup=False, soft_wrap=True)


@keys.command("list")
def list_keys(as_json: Json = False) -> None:
    """List all API keys, without their secrets.

    Example: rayon keys list
    """
    accounts = _accounts()
    names = {user.id: user.name for user in accounts.users()}
    found = accounts.keys()
    if as_json:
        print_json({"keys": [_key(key, names) for key in found]})
        return
    table = Table("id", "key", "user", "for", "last used", "")
    for key in found:
        used = f"{key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never"
        table.add_row(
            key.id, f"{key.prefix}…", names[key.user_id], key.name, used, "revoked" if key.revoked_at else ""
        )
    out.print(table)


@keys.command()
def revoke(
    key_id: Annotated[
        str, typer.Argument(metavar="ID", help="As `rayon keys list` shows it.", show_default=False)
    ],
) -> None:
    """Make an API key useless from now on.

    Example: rayon keys revoke 0198f0c4-...
    """
    _accounts().revoke_key(key_id, ACTOR)
    say("Revoked.")


def _accounts() -> Accounts:
    database = Database(Settings().database_url)
    upgrade_schema(database)
    return Accounts(database)


def _password(from_stdin: bool) -> str:
    """The password that somebody gives; empty where one is to be made."""
    if from_stdin:
        given = sys.stdin.readline().rstrip("\r\n")
        if not given:
            raise RayonError("There is no password on standard input", "Pipe one in, or leave the option out")
        return given
    if not sys.stdin.isatty():
        return ""
    given = getpass.getpass("Password (empty to make one): ")
    if given and getpass.getpass("Again: ") != given:
        raise RayonError("The two passwords differ", "Try again")
    return given


def _user(user: User) -> dict[str, Any]:
    return {
        "name": user.name,
        "role": user.role,
        "disabled": user.disabled,
        "created_at": user.created_at.isoformat(),
    }


def _key(key: ApiKey, names: dict[str, str]) -> dict[str, Any]:
    return {
        "id": key.id,
        "prefix": key.prefix,
        "user": names[key.user_id],
        "for": key.name,
        "created_at": key.created_at.isoformat(),
        "last_used_at": key.last_used_at.isoformat() if key.last_used_at else None,
        "revoked_at": key.revoked_at.isoformat() if key.revoked_at else None,
    }
