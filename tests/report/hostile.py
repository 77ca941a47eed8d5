"""A study in which all that people can name has the names that they should not give."""

from collections.abc import Callable
from pathlib import Path

from isoexp.store.files import write_json

from .studies import claimed, curve, failed, finished, two_arms

HOSTILE = (
    '"><script>alert(1)</script><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)' x='",
    "</script></style></title></svg><svg onload=alert(1)>",
    "--><!-- ]]><![CDATA[ <?php &lt;b&gt; javascript:alert(1)",
    "..",
    "con . ",
    "$\\frac{$ \\includegraphics{x}",
)

CONTROL = "\x1b[31mred\x1b]0;title\x07 \x9b2J \x00 back\b\rover \u202egnp\u2066 \ufeff\u200e \x7f"
"""What steers a terminal, and what turns the direction of what is read."""

PLAIN = "plain words"

Typed = Callable[[str], str]
"""Makes of a name what somebody typed for it."""


def typed(text: str) -> Typed:
    return lambda name: f"{name} {text}"


def named(of: Typed, name: str) -> str:
    """What somebody typed for the name of a folder: any but a path."""

    return of(name).replace("/", "").replace("\0", "")


def leave(study: Path, of: Typed) -> None:
    """Leaves a claim, and runs without one, in which all that people can name is named so."""

    runs = two_arms(study, (0.80, 0.81, 0.82, 0.80), (0.90, 0.92, 0.91))
    runs["b"].append(failed(study, 99, 3, of("reason"), activation="iso_tanh"))
    tried = [{"values": {of("key"): of("value")}, "score": 0.5, "networks": 2, "failed": 0}]
    tuned = {"chosen": {of("key"): of("value")}, "edges": [of("key")], "tried": tried}
    claimed(
        study,
        runs,
        title=of("title"),
        claim=of("claim"),
        section=of("section"),
        expected=of("expected"),
        common=[of("data.root=a")],
        metrics={
            "accuracy": {
                "of": "summary",
                "column": "test/accuracy",
                "words": of("words"),
                "unit": of("unit"),
            }
        },
        comparisons=[
            {
                "contrast": "b - a",
                "metric": "accuracy",
                "expects": "greater",
                "margin": 0.01,
                "words": of("question"),
                "label": of("label"),
            }
        ],
        curve={"of": "metrics", "x": "step", "y": "valid/loss"},
        tuning={"grid": {of("key"): [of("value")]}, "metric": "valid/accuracy", "seeds": 2},
        tuned={"a": tuned},
    )
    numbers = {f"probe/{of('probe').replace('/', '')}/{of('column')}": 1.0, "test/accuracy": 0.5}
    for number, key in ((70, "first"), (71, "second")):
        words = [f"{of(key)}={of('value')}"]
        run = finished(study, number, 0, numbers, words, data=of("data"), model=of(key))
        unmeasured = {of("unmeasured"): of("why")}
        write_json(run.folder / "state.json", {**run.state, "unmeasured": unmeasured})
        versions = {of("package"): of("version")}
        facts = {"commit": of("c"), "diff": ""}, {"platform": of("p"), "device_name": of("d")}
        write_json(
            run.folder / "provenance.json", {"versions": versions, "code": facts[0], **facts[1]}
        )
        runs["a"].append(run)
    for run in runs["a"]:
        curve(run, (3.0, 2.0, 1.0))
    (study / named(of, "damaged")).mkdir()
    (study / named(of, "damaged") / "state.json").write_text("{")
