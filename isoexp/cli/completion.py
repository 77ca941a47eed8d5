"""isoexp completion bash|zsh|fish: a script for the shell, which asks `isoexp _complete` back."""

__all__ = ["complete", "completion"]

from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..claims import SCALES
from ..config.groups import COMMANDS, CONF, GROUPS, choices, defaults, keys, root_keys
from ..errors import UserError, did_you_mean
from ..output import say
from .options import Command, command
from .reproduce import FREE

SCRIPTS = {
    "bash": """\
_isoexp() {
    local IFS=$'\\n' line="${COMP_LINE:0:COMP_POINT}"
    local word="${line##* }"
    local before=($(printf '%s\\n' "${line% *}" | tr -s ' ' '\\n' | tail -n +2))
    COMPREPLY=($(isoexp _complete "${before[@]}" "$word" 2>/dev/null))
    # Readline takes = for a word break: give back what follows it.
    if [[ "$word" == *=* ]]; then COMPREPLY=("${COMPREPLY[@]#"${word%=*}="}"); fi
    [[ "${COMPREPLY[0]}" == *= || "${COMPREPLY[0]}" == *. ]] && compopt -o nospace
}
complete -o default -F _isoexp isoexp""",
    "zsh": """\
#compdef isoexp
_isoexp() {
    local -a found
    found=("${(@f)$(isoexp _complete ${words[2,-2]} "${words[-1]}" 2>/dev/null)}")
    compadd -S '' -- $found
}
compdef _isoexp isoexp""",
    "fish": """\
function __isoexp
    set -l words (commandline -opc) (commandline -ct)
    isoexp _complete $words[2..-1] 2>/dev/null
end
complete -c isoexp -f -a '(__isoexp)'""",
}


HELP = """\
isoexp completion bash|zsh|fish

Prints a script for your shell, which completes commands, groups, choices and
settings.

  source <(isoexp completion bash)       in ~/.bashrc
  isoexp completion fish > ~/.config/fish/completions/isoexp.fish"""


@command("completion", HELP)
def completion(options: Namespace) -> int:
    given = " ".join(options.arguments)
    if given not in SCRIPTS:
        said = f"got {given or 'nothing'}{did_you_mean(given, SCRIPTS)}"
        raise UserError(f"isoexp completion takes one of bash, zsh, fish, {said}")

    say(SCRIPTS[given])

    return 0


def complete(words: Sequence[str], commands: Mapping[str, Command]) -> int:
    """Prints what the last word may become, a line each."""

    *before, word = words or [""]
    named = [commands[each] for each in before if each in commands]
    if not named:
        found = [*COMMANDS, "--help", "--version"]
    elif word.startswith("-"):
        found = named[0].flags
    else:
        found = _arguments(named[0].name, before, word)

    for candidate in found:
        if candidate.startswith(word):
            say(candidate)

    return 0


def _arguments(command: str, before: Sequence[str], word: str) -> list[str]:
    """Returns what may be given to a command, in place of a word."""

    known = choices()
    if command == "list":
        return list(known)
    if command == "completion":
        return list(SCRIPTS)
    claims = known.pop("claim", {})
    if command == "reproduce":
        scales = [f"scale={scale}" for scale in SCALES]
        return [*claims, "all", *scales, *(f"{key}=" for key in FREE), "hydra/launcher="]
    if command not in ("train", "search", "audit", "probe"):
        return []

    if command in ("train", "search"):
        launchers = sorted((CONF / "hydra" / "launcher").glob("*.yaml"))
        known["hydra/launcher"] = {path.stem: path for path in launchers}
    group, equals, typed = word.partition("=")
    if equals and group in known:
        head = word[: len(word) - len(typed.rpartition(",")[2])]
        return [head + choice for choice in known[group]]
    if command == "audit":
        forms = [group.name for group in GROUPS.values() if group.symmetry]
        return [*forms, "attention", *[f"{form}=" for form in forms]]
    if command == "probe":
        return ["probe=", "device=", "force="]

    return [f"{key}=" for key in (*known, *root_keys(), *_settings(known, before))]


def _settings(known: Mapping[str, Mapping[str, Path]], before: Sequence[str]) -> list[str]:
    """Returns the settings of the choices made so far: activation.R0."""

    chosen = defaults()
    chosen |= {g: c for g, _, c in (word.partition("=") for word in before) if g in chosen}
    paths = {group: known[group].get(choice) for group, choice in chosen.items()}

    return sorted(
        f"{group}.{key}"
        for group, path in paths.items()
        for key in ([*keys(path), *GROUPS[group].own] if path else [])
        if key not in known
    )
