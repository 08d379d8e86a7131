"""`lastword keys …`: which keys there are, and a new one in place of the old one."""

from collections import Counter

from cyclopts import App

from cli.accounts import Flag
from cli.errors import EXIT_DEGRADED, EXIT_OK
from cli.output import print_json, print_table, say
from lastword import rotation
from lastword.rotation import GIVE, Keys
from lastword.settings import Settings
from models.database import Database

app = App(name="keys", help="The keys that seal passwords: none is ever shown.")

_WORDS = {"secret": "passwords", "session_memory": "sessions"}


@app.command
async def show(*, json: Flag = False) -> int:
    """Show the ids of the keys, where they are from, and how much is sealed with each.

    Args:
        json: Print JSON.
    """
    settings = Settings()
    async with Database.open(settings.database) as database:
        keys = await rotation.look(settings, database)
    rows: list[dict[str, str | int]] = [
        {
            "key": key_id,
            "role": _role(keys, key_id),
            **{word: keys.sealed.get(key_id, Counter())[name] for name, word in _WORDS.items()},
        }
        for key_id in dict.fromkeys([*keys.held, *keys.sealed])
    ]
    if json:
        print_json({"origin": keys.origin, "keys": rows})
        return EXIT_OK
    cells = [[str(cell) for cell in row.values()] for row in rows]
    print_table(["KEY", "", *(word.upper() for word in _WORDS.values())], cells)
    say(f"From {keys.origin}")
    return EXIT_OK


@app.command
async def rotate(*, plan: Flag = False) -> int:
    """Seal all passwords and sessions with a new key; the old one is refused from then on.

    Runs may go on meanwhile. Interrupted, it is finished by the same command.

    Args:
        plan: Only tell what would be done.
    """
    settings = Settings()
    async with Database.open(settings.database) as database:
        keys = await rotation.look(settings, database)
        if plan:
            for number, step in enumerate(_plan(keys), 1):
                say(f"{number}. {step}")
            return EXIT_OK
        done = await rotation.rotate(settings, database, say)
    say(f"Everything is sealed with key {done.key_id}")
    if done.forgotten:
        say(f"Key {done.before} is gone from {keys.origin}: copy that file to where your copy is,")
        say("and keep the old copy for as long as you keep backups that were made before")
    else:
        say(f"Take key {done.before}, the first of the two, away from {keys.origin}, and restart")
    for name in done.unopened:
        say(f"The password of {name} opens with no key that is here: it was left as it is")
    return EXIT_DEGRADED if done.unopened else EXIT_OK


def _role(keys: Keys, key_id: str) -> str:
    if key_id not in keys.held:
        return "not here"
    if key_id == keys.present:
        return "seals"
    return "comes next" if key_id == keys.held[-1] else "of before"


def _plan(keys: Keys) -> list[str]:
    if len(keys.held) == 1 and keys.file is None:
        return [f"You: {keys.origin} is given from outside, so {GIVE}", "lastword keys rotate"]
    if keys.present == keys.held[-1] and keys.present != keys.held[0] and keys.file is None:
        return [f"You: take key {keys.held[0]}, the first of the two, away from {keys.origin}"]
    target = keys.held[-1] if len(keys.held) > 1 else None
    old = [(found, counts) for found, counts in keys.sealed.items() if found != target]
    number = {word: sum(counts[name] for _, counts in old) for name, word in _WORDS.items()}
    sealed = " and ".join(f"{number[word]} {word}" for word in number)
    steps = [] if target else [f"Put a new key into {keys.file}, beside {keys.present}"]
    steps.append(f"Seal {sealed} with the new key{f', {target}' if target else ''}")
    gone = f"key {keys.held[0]}"
    if keys.file:
        steps.append(f"Once no run is under way, take {gone} out of {keys.file}")
    else:
        steps.append(f"You: take {gone}, the first of the two, away from {keys.origin}, restart")
    return steps
