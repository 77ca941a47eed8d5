"""isoexp completion bash|zsh|fish: a script for the shell, which asks `isoexp _complete` back."""

__all__ = ["complete", "completion"]

from collections.abc import Sequence

from ..claims import SCALES
from ..config.groups import COMMANDS, CONF, GROUPS, choices, defaults, keys, root_keys
from ..errors import UserError, did_you_mean
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


def completion(arguments: Sequence[str]) -> int:
    """Prints the completion script of a shell."""

    if len(arguments) != 1 or arguments[0] not in SCRIPTS:
        given = " ".join(arguments) or "nothing"
        near = did_you_mean(given, SCRIPTS)
        raise UserError(f"isoexp completion takes one of bash, zsh, fish, got {given}{near}")

    print(SCRIPTS[arguments[0]])

    return 0


def complete(arguments: Sequence[str]) -> int:
    """Prints what the last word may become, a line each."""

    *before, word = arguments or [""]

    for candidate in _candidates(before, word):
        if candidate.startswith(word):
            print(candidate)

    return 0


def _candidates(before: Sequence[str], word: str) -> list[str]:
    known = choices()
    commands = [w for w in before if w in COMMANDS]

    if not commands:
        return [*COMMANDS, "--help", "--version"]
    if commands[0] == "list":
        return list(known)
    claims = known.pop("claim", {})
    if commands[0] == "reproduce" and not word.startswith("-"):
        scales = [f"scale={scale}" for scale in SCALES]
        return [*claims, "all", *scales, *(f"{key}=" for key in FREE), "hydra/launcher="]
    if commands[0] == "reproduce":
        return ["--smoke", "--dry-run", "--config-dir", "--allow", "--help"]
    if commands[0] == "report" and word.startswith("-"):
        return ["--compare", "--out", "--help"]
    if commands[0] == "completion":
        return list(SCRIPTS)
    if commands[0] == "figures":
        return ["--again", "--help"] if word.startswith("-") else []
    if commands[0] not in ("train", "search", "audit", "probe"):
        return []
    if word.startswith("-") and commands[0] == "audit":
        return ["--width", "--seed", "--as", "--out", "--config-dir", "--allow", "--help"]
    if word.startswith("-") and commands[0] == "probe":
        return ["--twin", "--config-dir", "--allow", "--help"]
    if word.startswith("-") and commands[0] == "search":
        return ["--dry-run", "--config-dir", "--allow", "--help"]
    if word.startswith("-"):
        return ["--multirun", "--config-dir", "--allow", "--cfg", "--help"]

    if commands[0] in ("train", "search"):
        launchers = sorted((CONF / "hydra" / "launcher").glob("*.yaml"))
        known["hydra/launcher"] = {path.stem: path for path in launchers}

    group, equals, typed = word.partition("=")
    if equals and group in known:
        head = word[: len(word) - len(typed.rpartition(",")[2])]
        return [head + choice for choice in known[group]]

    if commands[0] == "audit":
        forms = [group.name for group in GROUPS.values() if group.symmetry]
        return [*forms, "attention", *[f"{g}=" for g in forms]]

    if commands[0] == "probe":
        return ["probe=", "device=", "force="]

    return [*[f"{g}=" for g in known], *[f"{k}=" for k in root_keys()], *_settings(known, before)]


def _settings(known: dict[str, dict], before: Sequence[str]) -> list[str]:
    """Returns the settings of the choices made so far: activation.R0=."""

    found: list[str] = []
    for group, choice in defaults().items():
        named = [w.partition("=")[2] for w in before if w.partition("=")[0] == group]
        path = known[group].get((named or [choice])[-1])
        inner = [key for key in keys(path) if key not in known] if path else []
        found += [f"{group}.{key}=" for key in inner]

    return sorted(found)
