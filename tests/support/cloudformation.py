"""The template as CloudFormation evaluates it for given parameters.

A `Ref` of a resource becomes `{Name}`, an attribute of it `{Name.Attribute}`.
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
    """Resources and outputs of a deployment.

    Attributes:
        resources: Resources by logical id, without those whose condition is false.
        outputs: Outputs by name, without those whose condition is false.
    """

    resources: Mapping[str, Mapping[str, Any]]
    outputs: Mapping[str, Mapping[str, Any]]

    def properties(self, name: str) -> Any:
        """Return the properties of a resource."""
        return self.resources[name]["Properties"]

    def of_type(self, kind: str) -> dict[str, Any]:
        """Return the properties of all resources of a type, by logical id."""
        return {name: resource["Properties"] for name, resource in self.resources.items() if resource["Type"] == kind}


@cache
def template() -> Any:
    """Return the template as it is written. Every string has its line, from 0, in `start_mark.line`."""
    return cfn_yaml.load(str(FILE))


def stack(**parameters: str) -> Stack:
    """Return the deployment with these parameters and the defaults of all others."""
    evaluation = _Evaluation({**REQUIRED, **parameters})
    return Stack(
        resources=evaluation.section("Resources"),
        outputs=evaluation.section("Outputs"),
    )


def consumed_by(consumer: str, **parameters: str) -> Stack:
    """Return the deployment with that consumer of the stream."""
    return stack(**({**CONTAINER, **parameters} if consumer == "container" else {"Consumer": consumer, **parameters}))


def rule_violations(**parameters: str) -> list[str]:
    """Return the template's rules that these parameters violate."""
    evaluation = _Evaluation({**REQUIRED, **parameters})
    return [
        str(assertion["AssertDescription"])
        for rule in template()["Rules"].values()
        if evaluation.value(rule["RuleCondition"])
        for assertion in rule["Assertions"]
        if not evaluation.value(assertion["Assert"])
    ]


def defaults() -> dict[str, str]:
    """Return the default of every parameter that has one."""
    parameters = template()["Parameters"].items()
    return {name: str(parameter["Default"]) for name, parameter in parameters if "Default" in parameter}


def statements(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the statements of a policy document."""
    yield from document["Statement"]


def listed(value: Any) -> list[Any]:
    """Return a list of values, for one value or a list."""
    return list(value) if isinstance(value, list) else [value]


class _Evaluation:
    """Evaluates the template for one set of parameters."""

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
            "Fn::Contains": lambda value: self.value(value[1]) in self.value(value[0]),
            "Fn::EachMemberEquals": lambda value: all(member == value[1] for member in self.value(value[0])),
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
        """Return the entries of a section whose condition is true."""
        return {
            key: self.value({inner: part for inner, part in entry.items() if inner != "Condition"})
            for key, entry in template()[name].items()
            if "Condition" not in entry or self._condition(entry["Condition"])
        }

    def value(self, value: Any) -> Any:
        """Return an evaluated value, without parts that are `AWS::NoValue`."""
        if isinstance(value, dict):
            if len(value) == 1 and (name := str(*value)) in self._functions and not _is_policy_condition(value):
                return self._functions[name](value[name])
            evaluated = {str(key): self.value(inner) for key, inner in value.items()}
            return {key: inner for key, inner in evaluated.items() if inner is not _NO_VALUE}
        if isinstance(value, list):
            return [inner for member in value if (inner := self.value(member)) is not _NO_VALUE]
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
        def replace(match: re.Match[str]) -> str:
            name = match[1]
            if name.startswith("!"):
                return f"${{{name[1:]}}}"
            if name in variables:
                return str(self.value(variables[name]))
            return f"{{{_existing(name)}}}" if "." in name else str(self._ref(name))

        return _VARIABLE.sub(replace, text)

    @staticmethod
    def _find(mapping: str, first: str, second: str) -> Any:
        return template()["Mappings"][mapping][first][second]


def _existing(name: str) -> str:
    assert name.partition(".")[0] in template()["Resources"], name
    return name


def _is_policy_condition(value: Mapping[str, Any]) -> bool:
    """Return True for a `Condition` of IAM. CloudFormation's is the name of a condition."""
    return not isinstance(value.get("Condition", ""), str)


def every(value: Any) -> Iterator[Any]:
    """Yield a value and all values in it, without keys."""
    yield value
    inner: Sequence[Any] = ()
    if isinstance(value, dict):
        inner = list(value.values())
    elif isinstance(value, list):
        inner = value
    for value_inside in inner:
        yield from every(value_inside)
