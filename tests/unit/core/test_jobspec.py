"""`.c3` files: what is understood, what is refused, and that the error names the place."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, strategies as st

from c3fs.core.jobfile import KEYS, parse_job_spec, slug
from c3fs.core.jobspec import (
    DatasetMount,
    JobSpec,
    OutputDir,
    Placed,
    Script,
    decode_job_spec,
    encode_job_spec,
)
from c3fs.core.ref import is_project
from c3fs.errors import InvalidFormatError, InvalidJobSpecError

ID = "job_1700000000000_abc123"
WORK = "/home/u/c3/jobs/job_1_abcdef/work"

FULL = f"""\
project: my-project
script: run.sh
job_name: train it
time: 01:30:00
gpu: l40
hardware: l40s-d-32x192
provider: nextgen
docker: {{image: "rust:1", context: ./docker}}
datasets:
  - ref: /jobs/{ID}
    mount: /data//weights/
  - ref: /projects/p/data/words/@v3/small
  - {{mount: ./in/, ref: /datasets/x}}
output:
  - ./checkpoints
  - plots/final/
"""


def parse(text: str) -> JobSpec:
    return parse_job_spec(text, ".c3")


def refused(text: str) -> str:
    with pytest.raises(InvalidJobSpecError) as raised:
        parse(text)
    assert str(raised.value) == f".c3:{raised.value.line}:{raised.value.column}: {raised.value.why}"
    return str(raised.value)


def test_all_fields() -> None:
    at = Placed(12, 10)
    assert parse(FULL) == JobSpec(
        path=".c3",
        project="my-project",
        name="train it",
        script=Script(2, 9, "run.sh"),
        time=5400,
        datasets=(
            DatasetMount(10, 10, f"/jobs/{ID}", "/data/weights", Placed(11, 12)),
            DatasetMount(12, 10, "/projects/p/data/words/@v3/small", "/data/small", at),
            DatasetMount(13, 25, "/datasets/x", "in", Placed(13, 13)),
        ),
        outputs=(OutputDir(15, 5, "checkpoints"), OutputDir(16, 5, "plots/final")),
        ignored={
            "gpu": "l40",
            "hardware": "l40s-d-32x192",
            "provider": "nextgen",
            "docker.image": "rust:1",
            "docker.context": "./docker",
        },
    )


def test_the_least() -> None:
    spec = parse_job_spec("script: make all", "p/.c3", "folder")
    assert (spec.project, spec.name, spec.time, spec.datasets, spec.outputs) == ("folder", "folder", None, (), ())
    assert spec.ignored == {}
    assert spec.path == "p/.c3"


@pytest.mark.parametrize("text", ["datasets:\n", "output:\n", "datasets: []\n", "output: []\n"])
def test_lists_with_everything_commented_out(text: str) -> None:
    spec = parse(f"{text}script: run.sh")
    assert (spec.datasets, spec.outputs) == ((), ())


def test_one_output() -> None:
    assert parse("script: x\noutput: a/b").outputs == (OutputDir(2, 9, "a/b"),)


@pytest.mark.parametrize(
    ("yaml", "text"),
    [
        ("script: |\n  set -e\n  echo hi\n", "set -e\necho hi\n"),
        ("script: |\r\n  a\r\n  b\r\n", "a\nb\n"),
        ('script: "a\\r\\nb"', "a\nb"),
        ("script: >\n  a\n  b\n", "a b\n"),
        ("script: 'größe 目'", "größe 目"),
        ("script: 5", "5"),
    ],
)
def test_script_texts(yaml: str, text: str) -> None:
    assert parse(yaml).script.text == text


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("run.sh", "run.sh"),
        (" ./a/b-c.sh\n", "./a/b-c.sh"),
        ("größe.sh", "größe.sh"),
        ("make", "make"),
        ("make all", None),
        ("a;b", None),
        ("$X", None),
        ("X=1", None),
        ("a\nb", None),
        ("~/x", None),
    ],
)
def test_a_script_that_may_be_a_file(text: str, word: str | None) -> None:
    assert Script(1, 1, text).word == word


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("00:00:01", 1), ("1:00:00", 3600), ("'99:59:59'", 359999), ("1000:00:00", 3_600_000), ("190:20:30", 685230)],
)
def test_times(text: str, seconds: int) -> None:
    assert parse(f"script: x\ntime: {text}").time == seconds


S = "script: run.sh\n"
D = f"{S}datasets:\n"
ITEM = f"  - ref: /jobs/{ID}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1:1: a .c3 file is a list of `key: value` lines, and needs at least `script:`"),
        ("- a", "1:1: a .c3 file is a list of `key: value` lines, and needs at least `script:`"),
        ("project: x", "1:1: `script:` is missing: the bash script to run, like `script: run.sh`"),
        ("script:", "1:8: `script:` has no value; give it one or take the line out"),
        ("script: ''", "1:9: `script:` is empty: name the bash script to run, like `script: run.sh`"),
        ("script: [a]", "1:9: `script:` is one value, not a list"),
        ("script: {a: b}", "1:9: `script:` is one value, not a mapping"),
        ('script: "a\\0b"', "1:9: `script:` holds a control character"),
        (f"{S}script: b", "2:1: 'script' is given twice, first in line 1"),
        (f"{S}outputs: b", "2:1: unknown key `outputs:`; did you mean `output:`?"),
        (f"{S}datset: b", "2:1: unknown key `datset:`; did you mean `datasets:`?"),
        (f"{S}zzz: b", f"2:1: unknown key `zzz:`; known are {', '.join(KEYS)}"),
        (f"{S}project: My Proj", "2:10: not a project: 'My Proj'; lower-case letters, digits and hyphens: my-proj"),
        (f"{S}job_name: a/b", "2:11: not a job's name: one line of at most 128 characters, without slashes"),
        (f"{S}job_name: {'x' * 129}", "2:11: not a job's name: one line of at most 128 characters, without slashes"),
        (f"{S}time: 90", "2:7: not a time: '90'; write HH:MM:SS, like 01:30:00"),
        (f"{S}time: 00:61:00", "2:7: not a time: '00:61:00'; write HH:MM:SS, like 01:30:00"),
        (f"{S}time: 00:00:00", "2:7: a script needs more time than 00:00:00"),
        (f"{S}time: -1:00:00", "2:7: not a time: '-1:00:00'; write HH:MM:SS, like 01:30:00"),
        (f"{S}time: ٠١:٠٠:٠٠", "2:7: not a time: '٠١:٠٠:٠٠'; write HH:MM:SS, like 01:30:00"),
        (f"{S}gpu: [a]", "2:6: `gpu:` is one value, not a list"),
        (f"{S}gpu: {{a: b}}", "2:6: `gpu:` is one value, not a mapping"),
        (f"{S}gpu: ''", "2:6: `gpu:` must be one line of text"),
        (f"{S}docker: {{image: [a]}}", "2:17: `image:` is one value, not a list"),
        (f"{S}python: {{project: ./}}\ndocker: x", "3:1: `docker:` and `python:` (line 2) exclude each other"),
        (f"{S}datasets: x", "2:11: `datasets:` is a list, each item with `ref:` and, if you like, `mount:`"),
        (
            f"{D}  - /jobs/{ID}",
            "3:5: a data set is written `- ref: /jobs/<id>` and, if you like, `mount: <path>` below it",
        ),
        (f"{D}  - mount: /x", "3:5: `ref:` is missing: the data to mount, like `ref: /jobs/<id>`"),
        (f"{D}  - reff: /x", "3:5: unknown key `reff:`; did you mean `ref:`?"),
        (f"{D}{ITEM}    mont: /x", "4:5: unknown key `mont:`; did you mean `mount:`?"),
        (f"{D}  - ref:", "3:9: `ref:` has no value; give it one or take the line out"),
        (f"{D}{ITEM}    mount: ../x", "4:12: mount point '../x' leaves the working directory"),
        (f"{D}{ITEM}    mount: a/../..", "4:12: mount point 'a/../..' leaves the working directory"),
        (f"{D}{ITEM}    mount: .", "4:12: mount point . is the working directory itself"),
        (
            f"{D}{ITEM}    mount: /",
            "4:12: mount point / would hide all that is there; mount in a directory of its own below it",
        ),
        (f"{D}{ITEM}    mount: /data/../usr/lib/x", "4:12: mount point /usr/lib/x is in the system directory /usr"),
        (
            f"{D}{ITEM}    mount: artifacts/x",
            "4:12: mount point artifacts/x lies in the output directory 'artifacts', and would be collected with it",
        ),
        (f"{D}{ITEM}    mount: a\noutput: a/b", "4:12: mount point a would hide the output directory 'a/b'"),
        (f"{D}{ITEM}{ITEM}", f"4:10: mount point /data/{ID} is also the mount point /data/{ID} of line 3"),
        (
            f"{D}{ITEM}    mount: /x\n{ITEM}    mount: /x/y",
            "6:12: mount point /x/y lies inside the mount point /x of line 4",
        ),
        (
            f"{D}{ITEM}    mount: /x/y\n{ITEM}    mount: /x",
            "6:12: mount point /x would hide the mount point /x/y of line 4",
        ),
        (f"{D}{''.join(f'{ITEM}    mount: /x/{n}{chr(10)}' for n in range(65))}", "3:3: more than 64 data sets"),
        (
            f"{S}output: /out",
            "2:9: output '/out' is absolute; output directories are relative to the working directory",
        ),
        (f"{S}output: [a, b/../../c]", "2:13: output 'b/../../c' leaves the working directory"),
        (f"{S}output: ./", "2:9: output './' is the whole working directory; name the directories that hold results"),
        (f"{S}output: {{a: b}}", "2:9: `output:` is a directory or a list of directories"),
        (f"{S}output: [[a]]", "2:10: an output directory is a path relative to the working directory"),
        (f"{S}output: [~]", "2:10: an output directory is a path relative to the working directory"),
    ],
)
def test_refused(text: str, message: str) -> None:
    assert refused(text) == f".c3:{message}"


@pytest.mark.parametrize("ref", ["/jobs/../x", "jobs/x", "/jobs/job_1", "/x/y", '"/jobs/\\x01"', "/datasets/a/@v0"])
def test_bad_refs_name_their_place(ref: str) -> None:
    message = refused(f"{D}  - mount: /x\n    ref: {ref}")
    assert message.startswith(".c3:4:10: not a ref: ")


def test_outputs_are_collected_once() -> None:
    spec = parse(f"{S}output: [b/c/d, b, a, ./a, artifacts, artifacts/x, ab]")
    outputs, warnings = spec.collected()
    assert [output.path for output in outputs] == ["artifacts", "b", "a", "ab"]
    assert warnings == (
        ".c3:2:23: 'a' is collected once, with output 'a' of line 2",
        ".c3:2:28: 'artifacts' is collected once, with $C3_ARTIFACTS_DIR",
        ".c3:2:39: 'artifacts/x' is collected once, with $C3_ARTIFACTS_DIR",
        ".c3:2:10: 'b/c/d' is collected once, with output 'b' of line 2",
    )


def test_mount_points_of_a_working_directory() -> None:
    spec = parse(FULL)
    points = spec.mount_points(WORK)
    assert [path for _, path in points] == ["/data/weights", "/data/small", f"{WORK}/in"]


@pytest.mark.parametrize(
    ("mount", "why"),
    [
        (WORK, "is the working directory itself"),
        ("/home/u", "would hide the working directory"),
        (f"{WORK}/artifacts", "lies in the output directory 'artifacts', and would be collected with it"),
        (f"{WORK}/in/x", "lies inside the mount point in of line 3"),
        ("/home/u/c3/store", "would hide /home/u/c3, which c3 itself uses"),
    ],
)
def test_absolute_mount_points_that_meet_the_working_directory(mount: str, why: str) -> None:
    spec = parse(f"{D}  - {{ref: /jobs/{ID}, mount: in}}\n{ITEM}    mount: {mount}\n")
    with pytest.raises(InvalidJobSpecError) as raised:
        spec.mount_points(WORK, ("/home/u/c3",))
    assert str(raised.value) == f".c3:5:12: mount point {mount} {why}"


@pytest.mark.parametrize(
    ("ref", "mount"),
    [
        ("/projects/p/jobs/@last", "/data/p"),
        ("/projects/p/jobs/@last/shards", "/data/shards"),
        ('"/projects/p/jobs/@name:train it"', "/data/train it"),
        (f"/projects/p/jobs/{ID}/", f"/data/{ID}"),
        ("/datasets/words/@latest", "/data/words"),
        ("/projects/p/data/words", "/data/words"),
        ("/projects/p/source/@v2", "/data/source"),
    ],
)
def test_where_refs_are_mounted_when_nothing_is_said(ref: str, mount: str) -> None:
    (dataset,) = parse(f"{D}  - ref: {ref}").datasets
    assert (dataset.ref, dataset.mount, dataset.asked) == (ref.strip('"').rstrip("/"), mount, "")


def test_json_round_trip() -> None:
    spec = parse(FULL)
    assert decode_job_spec(encode_job_spec(spec)) == spec


def test_names_that_are_no_utf_8_survive_the_record() -> None:
    spec = parse_job_spec(f'{D}  - ref: "/jobs/{ID}/\\udcff"\n', "/home/\udcfe/.c3")
    assert spec.datasets[0].ref == f"/jobs/{ID}/\udcff"
    assert encode_job_spec(spec).isascii()
    assert decode_job_spec(encode_job_spec(spec)) == spec
    assert refused('script: "\\ud800"') == ".c3:1:9: '\\ud800' is half a character"


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"path":1}', "null", "[" * 100_000])
def test_a_broken_record(text: str) -> None:
    with pytest.raises(InvalidFormatError):
        decode_job_spec(text)


@pytest.mark.parametrize(
    ("name", "project"),
    [
        ("My Project (2)", "my-project-2"),
        ("größe", "gr-e"),
        ("目", "project"),
        ("", "project"),
        ("-", "project"),
        ("x" * 100, "x" * 63),
        ("a" * 62 + "--b", "a" * 62),
    ],
)
def test_slug(name: str, project: str) -> None:
    assert slug(name) == project


@given(st.text())
def test_a_slug_is_always_a_project(name: str) -> None:
    assert is_project(slug(name))


pieces = st.sampled_from(
    [
        *("script", "datasets", "output", "time", "ref", "mount", ": ", ":", "\n", "\n  ", "- ", "[", "]", "{", "}"),
        *("|", ">", "*a", "&a", "!", "'", '"', "#", ",", "~", "..", "/", f"/jobs/{ID}", "01:00:00", "\t", "\\", "%"),
    ]
)
texts = st.one_of(
    st.text(max_size=40),
    st.text(alphabet=string.printable, max_size=60),
    st.lists(pieces, max_size=25).map("".join),
    st.lists(pieces, max_size=10).map(lambda parts: S + "".join(parts)),
)


@given(texts)
def test_any_text_is_parsed_or_refused_with_its_place(text: str) -> None:
    try:
        spec = parse(text)
    except InvalidJobSpecError as error:
        assert 1 <= error.line <= len(text) + 2
        assert error.column >= 1
        assert "\n" not in str(error)
    else:
        assert decode_job_spec(encode_job_spec(spec)) == spec
