"""The template as CloudFormation sees it: read, and worked out for given parameters.

A resource's `Ref` stands as `{Name}`, an attribute of it as `{Name.Attribute}`.
docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from cfnlint.decode import cfn_yaml

FILE = Path(__file__).parents[2] / "infra" / "mailfold.yaml"
ACCOUNT = "123456789012"
REGION = "us-east-1"
NAME = "mail-fold"
PSEUDO_PARAMETERS = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{NAME}/5af3dc00-da77-11e4-872e-1234567db123",
    "AWS::StackName": NAME,
    "AWS::URLSuffix": "amazonaws.com",
}
REQUIRED = {"CodeBucket": "code", "CodeKey": "bundle.zip"}
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:feedback"
CONSUMERS = ("lambda", "container", "elsewhere")
CONTAINER = {
    "Consumer": "container",
    "ConsumerImage": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/mailfold:1",
    "ConsumerRepository": f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/mailfold",
    "ConsumerVpc": "vpc-0a1b2c3d",
    "ConsumerSubnets": "subnet-0a1b2c3d, subnet-4e5f6a7b",
}

_NO_VALUE = object()
_VARIABLE = re.compile(r"\$\{([^}]+)\}")


class Stack(msgspec.Struct, frozen=True, kw_only=True):
    """What a deployment makes.

    Attributes:
        resources: By logical id, those whose condition holds.
        outputs: By name, those whose condition holds.
    """

    resources: Mapping[str, Mapping[str, Any]]
    outputs: Mapping[str, Mapping[str, Any]]

    def properties(self, name: str) -> Any:
        """Return the properties of a resource."""
        return self.resources[name]["Properties"]

    def of_type(self, kind: str) -> dict[str, Any]:
        """Return the properties of all resources of a type, by logical id."""
        return {name: each["Properties"] for name, each in self.resources.items() if each["Type"] == kind}


@cache
def template() -> Any:
    """Return the template as it is written; every text knows its line, as `start_mark.line`, from 0."""
    return cfn_yaml.load(str(FILE))


def stack(**parameters: str) -> Stack:
    """Return what the template makes with these parameters, and the defaults of all others."""
    evaluation = _Evaluation({**REQUIRED, **parameters})
    return Stack(
        resources=evaluation.section("Resources"),
        outputs=evaluation.section("Outputs"),
    )


def consumed_by(consumer: str, **parameters: str) -> Stack:
    """Return what the template makes where that reads the stream."""
    return stack(**({**CONTAINER, **parameters} if consumer == "container" else {"Consumer": consumer, **parameters}))


def refusals(**parameters: str) -> list[str]:
    """Return what the template's rules say against these parameters."""
    evaluation = _Evaluation({**REQUIRED, **parameters})
    return [
        str(one["AssertDescription"])
        for rule in template()["Rules"].values()
        if evaluation.value(rule["RuleCondition"])
        for one in rule["Assertions"]
        if not evaluation.value(one["Assert"])
    ]


def defaults() -> dict[str, str]:
    """Return the default of every parameter that has one."""
    return {name: str(each["Default"]) for name, each in template()["Parameters"].items() if "Default" in each}


def statements(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Give the statements of a policy document."""
    yield from document["Statement"]


def listed(value: Any) -> list[Any]:
    """Return what may stand alone or in a list."""
    return list(value) if isinstance(value, list) else [value]


class _Evaluation:
    """One deployment's parameters and conditions."""

    def __init__(self, given: Mapping[str, str]) -> None:
        declared = template()["Parameters"]
        assert set(given) <= set(declared)
        values = {**defaults(), **given}
        assert set(values) == set(declared)
        self._values = {
            name: [part.strip() for part in value.split(",")] if "List" in declared[name]["Type"] else value
            for name, value in values.items()
        }
        self._functions: dict[str, Callable[[Any], Any]] = {
            "Ref": self._ref,
            "Condition": self._condition,
            "Fn::And": lambda value: all(map(self.value, value)),
            "Fn::EachMemberEquals": lambda value: all(each == value[1] for each in self.value(value[0])),
            "Fn::Equals": lambda value: self.value(value[0]) == self.value(value[1]),
            "Fn::FindInMap": lambda value: self._find(*map(self.value, value)),
            "Fn::GetAtt": lambda value: f"{{{'.'.join(value)}}}",
            "Fn::If": lambda value: self.value(value[1] if self._condition(value[0]) else value[2]),
            "Fn::Join": lambda value: value[0].join(self.value(value[1])),
            "Fn::Not": lambda value: not self.value(value[0]),
            "Fn::Or": lambda value: any(map(self.value, value)),
            "Fn::Select": lambda value: self.value(value[1])[int(value[0])],
            "Fn::Split": lambda value: self.value(value[1]).split(value[0]),
            "Fn::Sub": lambda value: self._sub(*value) if isinstance(value, list) else self._sub(value, {}),
        }

    def section(self, name: str) -> dict[str, Any]:
        """Work out the parts of a section whose condition holds."""
        return {
            key: self.value({inner: part for inner, part in each.items() if inner != "Condition"})
            for key, each in template()[name].items()
            if "Condition" not in each or self._condition(each["Condition"])
        }

    def value(self, value: Any) -> Any:
        """Work out a value, and leave out what has none."""
        if isinstance(value, dict):
            if len(value) == 1 and (name := str(*value)) in self._functions and not _is_policy_condition(value):
                return self._functions[name](value[name])
            worked_out = {str(key): self.value(inner) for key, inner in value.items()}
            return {key: inner for key, inner in worked_out.items() if inner is not _NO_VALUE}
        if isinstance(value, list):
            return [inner for each in value if (inner := self.value(each)) is not _NO_VALUE]
        return str(value) if isinstance(value, str) else value

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NO_VALUE
        if name in PSEUDO_PARAMETERS:
            return PSEUDO_PARAMETERS[name]
        return self._values[name] if name in self._values else f"{{{_existing(name)}}}"

    def _condition(self, name: str) -> bool:
        return bool(self.value(template()["Conditions"][name]))

    def _sub(self, text: str, variables: Mapping[str, Any]) -> str:
        def replaced(match: re.Match[str]) -> str:
            name = match[1]
            if name.startswith("!"):
                return f"${{{name[1:]}}}"
            if name in variables:
                return str(self.value(variables[name]))
            return f"{{{_existing(name)}}}" if "." in name else str(self._ref(name))

        return _VARIABLE.sub(replaced, text)

    @staticmethod
    def _find(mapping: str, first: str, second: str) -> Any:
        return template()["Mappings"][mapping][first][second]


def _existing(name: str) -> str:
    assert name.partition(".")[0] in template()["Resources"], name
    return name


def _is_policy_condition(value: Mapping[str, Any]) -> bool:
    """Tell IAM's `Condition` from CloudFormation's, which names one."""
    return not isinstance(value.get("Condition", ""), str)


def every(value: Any) -> Iterator[Any]:
    """Give a value and all that it holds, keys left out."""
    yield value
    inner: Sequence[Any] = ()
    if isinstance(value, dict):
        inner = list(value.values())
    elif isinstance(value, list):
        inner = value
    for each in inner:
        yield from every(each)
