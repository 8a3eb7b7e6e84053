"""Finds machine learning frameworks, which this service never runs. Looks at names, never at text.

``python -m app.policy`` checks this environment, ``python -m app.policy FILE…`` requirements
files and Dockerfiles; it exits with 0 if nothing was found and with 1 otherwise.
"""

import json
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.parser import HeaderParser
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

# Names of distributions and of modules in one, in small letters and with "-": the two differ
# only in "-" and "_", or both stand here.
_NAMES = """
    accelerate autogluon bentoml bitsandbytes caffe caffe2 catboost chainer clearml coremltools
    ctransformers cuml darts deepspeed detectron2 diffusers fairseq fastai fbprophet flax gluonts
    h2o h2o-pysparkling intel-tensorflow jax jaxlib keras kserve libtorch lightgbm lightning
    lightning-fabric llama-cpp llama-cpp-python ludwig mlflow mlflow-skinny mlserver mxnet
    neuralforecast neuralprophet onnxruntime openvino optax optuna paddle paddlepaddle peft
    pmdarima prophet pycaret pytorch pytorch-forecasting pytorch-lightning ray rayproject
    scikit-learn seldon-core sentence-transformers sklearn skopt skorch sktime spacy statsforecast
    statsmodels tensorflow tensorrt tf-keras tf-nightly tflite-runtime theano thinc timm torch
    torchaudio torchvision tpot transformers tritonclient trl tsfresh u8darts ultralytics vllm
    wandb xformers xgboost
"""
FORBIDDEN = frozenset(_NAMES.split())
_FAMILIES = tuple(
    f"{name}-"
    for name in (
        *("catboost", "jax", "keras", "lightgbm", "mlflow", "mxnet", "onnxruntime", "openvino"),
        *("paddlepaddle", "pytorch", "scikit-learn", "tensorflow", "torch", "xgboost"),
    )
)
_ARCHIVES = (".whl", ".tar.gz", ".zip", ".tar.bz2")
_INSTALLERS = re.compile(
    r"(?:.*/)?(?:pip[0-9.]*|pipx|uv|conda|mamba|micromamba|poetry|pdm|apt|apt-get|apk|dnf|yum)"
)
# Options of installers whose value is not a package.
_VALUED = re.compile(
    "-[cfinprt]|--(?:channel|constraint|extra-index-url|find-links|index-url|name|platform|prefix"
    "|python|python-version|requirement|root|target)"
)


@dataclass(frozen=True, slots=True)
class Policy:
    """What one check found; ``violations`` says of each framework where it is."""

    violations: tuple[str, ...]
    checked_packages: tuple[str, ...] = tuple(sorted(FORBIDDEN))

    @property
    def status(self) -> str:
        """Give ``compliant`` or ``violation``."""
        return "violation" if self.violations else "compliant"

    @property
    def message(self) -> str:
        """Say it in a sentence."""
        if not self.violations:
            return "No machine learning framework found."
        return f"Machine learning frameworks found: {'; '.join(self.violations)}."

    def as_fact(self) -> dict[str, object]:
        """Give it in the form of the health document."""
        return {
            "status": self.status,
            "message": self.message,
            "checked_packages": list(self.checked_packages),
            "violations": list(self.violations),
        }


def check_environment() -> Policy:
    """Check what is installed, what could be imported, and what was imported."""
    names = {_name_of(each) for each in metadata.distributions()}
    found = [f"{name} is installed" for name in sorted(names) if is_forbidden(name)]
    for module in sorted(name.replace("-", "_") for name in FORBIDDEN):
        if sys.modules.get(module) is not None:
            found.append(f"{module} is imported")
        elif _is_importable(module):
            found.append(f"{module} can be imported")
    return Policy(tuple(found))


def check_requirements(path: Path) -> Policy:
    """Check a requirements file and those it includes."""
    return Policy(tuple(_in_requirements(path, {path.resolve()})))


def check_dockerfile(path: Path) -> Policy:
    """Check the base images of a Dockerfile and what its commands install by name."""
    variables: dict[str, str] = {}
    found: list[str] = []
    for number, line in _lines(path):
        text = _expanded(line, variables).removeprefix("ONBUILD ")
        keyword, _, rest = text.partition(" ")
        if keyword.upper() in {"ARG", "ENV"}:
            given = re.findall(r"""(\w+)=("[^"]*"|'[^']*'|\S*)""", rest)
            variables.update({name: value.strip("'\"") for name, value in given})
        # A line of a here-document has no keyword.
        words = _words(rest if rest.startswith("[") else text)
        names = _images(rest) if keyword.upper() == "FROM" else _installed(words)
        found += [f"{name} in {path.name}:{number}" for name in names if is_forbidden(name)]
    return Policy(tuple(found))


def is_forbidden(name: str) -> bool:
    """Tell whether a distribution, in any spelling, is a machine learning framework."""
    dashed = name.lower().replace("_", "-")
    # A dot does not make a family: torch.txt is a file.
    return re.sub("[-.]+", "-", dashed) in FORBIDDEN or dashed.startswith(_FAMILIES)


def _name_of(distribution: metadata.Distribution) -> str:
    # ``distribution.metadata`` parses the whole description too, and each worker waits for it.
    files = (distribution.read_text(name) for name in ("METADATA", "PKG-INFO", ""))
    head = next(filter(None, files), "").partition("\n\n")[0]
    # A damaged distribution may have no name.
    return HeaderParser().parsestr(head)["Name"] or ""


def _is_importable(module: str) -> bool:
    try:
        found = find_spec(module)
    except (ImportError, ValueError, AttributeError):
        return False
    # A folder that only happens to have the name has no loader with a file.
    return found is not None and found.origin is not None


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Give each line with its number, those that end in a backslash joined, comments left out."""
    start = 0
    parts: list[str] = []
    text = path.read_text("utf-8-sig", errors="replace")
    for number, raw in enumerate(text.splitlines(), start=1):
        line = "" if raw.lstrip().startswith("#") else raw.strip()
        start = start if parts else number
        parts.append(line.removesuffix("\\").strip())
        if not line.endswith("\\") and not (parts[1:] and not line):
            yield start, " ".join(filter(None, parts))
            parts = []
    if parts:
        yield start, " ".join(filter(None, parts))


def _in_requirements(path: Path, seen: set[Path]) -> Iterator[str]:
    for number, line in _lines(path):
        text = re.sub(r"\s#.*", "", line)
        option = re.match(r"(?:-r|--requirement|-e|--editable)[= ]*(.*)", text)
        if option and text.startswith(("-r", "--r")):
            included = path.parent / option[1]
            if "://" not in option[1] and included.resolve() not in seen:
                seen.add(included.resolve())
                yield from _in_requirements(included, seen)
        elif option or not text.startswith("-"):
            name = _name(option[1] if option else text)
            if is_forbidden(name):
                yield f"{name} in {path.name}:{number}"


def _name(requirement: str) -> str:
    """Give the distribution that a requirement, an archive or an address stands for."""
    egg = re.search(r"[#&]egg=([\w.-]+)", requirement)
    if egg:
        return egg[1]
    text = requirement.strip().rpartition("::")[2]
    place = re.split(r"[#?;\s]", text, maxsplit=1)[0]
    plain = re.match(r"([\w.-]+)(?:\[[^]]*\])?\s*(?:$|[<>=!~;@,(\s])", text)
    if plain and not place.endswith(_ARCHIVES):
        return plain[1]
    last = place.rstrip("/").rpartition("/")[2].partition("@")[0].removesuffix(".git")
    return re.split(r"-[0-9]", last, maxsplit=1)[0]


def _expanded(line: str, variables: dict[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        return variables.get(match[1], match[2] or match[0])

    return re.sub(r"\$\{?(\w+)(?::-([^}]*))?\}?", value, line)


def _images(rest: str) -> list[str]:
    image = next((word for word in rest.split() if not word.startswith("--")), "")
    return [part.partition(":")[0] for part in image.partition("@")[0].split("/")]


def _words(text: str) -> list[str]:
    if text.startswith("["):
        try:
            return [str(word) for word in json.loads(text)]
        except ValueError:
            pass
    lexer = shlex.shlex(text, posix=True, punctuation_chars=";&|()")
    lexer.whitespace_split, lexer.commenters = True, ""
    try:
        return list(lexer)
    except ValueError:
        return text.split()


def _installed(words: Sequence[str]) -> list[str]:
    """Give what the commands in ``words`` install by name."""
    names: list[str] = []
    installer = installing = False
    before = ""
    for word in words:
        if before.startswith("-") and before.endswith("c") and " " in word:
            names += _installed(_words(word))
        elif set(word) <= set(";&|()"):
            installer = installing = False
        elif installing and not word.startswith("-") and not _VALUED.fullmatch(before):
            names.append(re.sub(r"^python3?-", "", _name(word)))
        installing = installing or (installer and word in {"install", "add"})
        installer = installer or bool(_INSTALLERS.fullmatch(word))
        before = word
    return names


def main(arguments: Sequence[str]) -> int:
    """Check the files named, or this environment if none is; print what was found."""
    if not arguments:
        return _tell("this environment", check_environment())
    return max(_check_file(Path(argument)) for argument in arguments)


def _check_file(path: Path) -> int:
    is_dockerfile = re.search("dockerfile|containerfile", path.name, re.IGNORECASE)
    check = check_dockerfile if is_dockerfile else check_requirements
    try:
        return _tell(path.name, check(path))
    except OSError as error:
        sys.stdout.write(f"{path.name}: not readable: {error.strerror}\n")
        return 1


def _tell(what: str, policy: Policy) -> int:
    sys.stdout.write(f"{what}: {policy.status}: {policy.message}\n")
    return int(policy.status != "compliant")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
