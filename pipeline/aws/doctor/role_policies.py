"""What each role needs, read from the packaged template and resolved for one deployed stack.

infra/mailfold.yaml is the only definition of these permissions. This resolves the intrinsic functions that the policies
of its roles use, and no others.
docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from pipeline.aws.deployment.template import load_template
from pipeline.aws.doctor.deployment import Deployment
from pipeline.aws.doctor.policy_document import as_list

_NO_VALUE = object()  # AWS::NoValue: the element is left out
_VARIABLE = re.compile(r"\$\{([^}]+)\}")
_ANY_NAME = "0"  # replaces a wildcard, because IAM simulates one resource

# ARNs of resources for which the stack has an output with the name or URL alone, by type.
_ARNS: Mapping[str, Callable[[Deployment, str], str]] = {
    "AWS::Lambda::Function": lambda deployment, name: deployment.arn("lambda", f"function:{name}"),
    "AWS::Logs::LogGroup": lambda deployment, name: deployment.arn("logs", f"log-group:{name}:*"),
    "AWS::S3::Bucket": lambda deployment, name: f"arn:{deployment.partition}:s3:::{name}",
    "AWS::SQS::Queue": lambda deployment, url: deployment.queue_arn(url),
}


class RolePolicies:
    """The policies of the template's roles in one deployment.

    Args:
        deployment: Its stack's parameters decide which statements apply; its outputs name the resources.
    """

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._template = load_template().document
        self._resources = self._template["Resources"]
        # The output that contains a resource's name, or an attribute of it.
        self._outputs = {
            (function, argument): output
            for output, declaration in self._template["Outputs"].items()
            if isinstance(declaration["Value"], dict)
            for function, argument in declaration["Value"].items()
            if function in {"Ref", "Fn::GetAtt"}
        }

    def exists(self, role: str) -> bool:
        """Return True if the stack has the role, by its logical id: a condition may leave it out."""
        condition = self._resources[role].get("Condition")
        return condition is None or self._condition(condition)

    def service(self, role: str) -> str:
        """Return the principal of the service that assumes the role."""
        [statement] = self._resources[role]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        return str(statement["Principal"]["Service"])

    def permissions(self, role: str) -> Mapping[str, list[str]]:
        """Return the actions that the role needs, by resource. A resource is one ARN without wildcards, or `*`."""
        actions: dict[str, dict[str, None]] = {}
        for document in self._documents(role):
            for statement in self._resolve(document["Statement"]):
                for resource in as_list(statement["Resource"]):
                    needed = actions.setdefault(self._example(resource), {})
                    needed |= dict.fromkeys(as_list(statement["Action"]))
        return {resource: list(needed) for resource, needed in actions.items()}

    def _documents(self, role: str) -> list[Mapping[str, Any]]:
        properties = self._resources[role]["Properties"]
        managed = [self._resources[policy["Ref"]]["Properties"] for policy in properties.get("ManagedPolicyArns", [])]
        return [policy["PolicyDocument"] for policy in (*properties.get("Policies", []), *managed)]

    def _example(self, resource: str) -> str:
        """Return one resource that a pattern of the template matches, and that the role uses."""
        if resource == "*":
            return resource
        if ":dynamodb:" in resource and resource.endswith("*"):  # the live table must be among them
            return self._deployment.arn("dynamodb", f"table/{self._deployment.live_table()}")
        if ":firehose:" in resource:  # the pattern covers names that CloudFormation generates
            return self._deployment.output("DeliveryStreamArn")
        if ":lambda:" in resource:
            return self._deployment.arn("lambda", f"function:{self._deployment.output('Transform')}:$LATEST")
        if ":log-group:" in resource:
            return f"{resource.removesuffix('*')}log-stream:{_ANY_NAME}"
        return resource.replace("*", _ANY_NAME)

    def _resolve(self, value: Any) -> Any:
        if isinstance(value, list):
            return [resolved for inner in value if (resolved := self._resolve(inner)) is not _NO_VALUE]
        if not isinstance(value, dict):
            return value
        for name, argument in value.items():
            match name:
                case "Ref":
                    return self._ref(argument)
                case "Fn::GetAtt":
                    return self._attribute(argument)
                case "Fn::Sub":
                    return self._substitute(*argument) if isinstance(argument, list) else self._substitute(argument, {})
                case "Fn::Select":
                    index, values = argument
                    return self._resolve(values)[index]
                case "Fn::Split":
                    separator, text = argument
                    return self._resolve(text).split(separator)
                case "Fn::If":
                    condition, if_true, if_false = argument
                    return self._resolve(if_true if self._condition(condition) else if_false)
        return {name: self._resolve(inner) for name, inner in value.items()}

    def _substitute(self, text: str, variables: Mapping[str, Any]) -> str:
        """Return the text of Fn::Sub with its own variables and the template's."""
        values = self._resolve(variables)
        return _VARIABLE.sub(lambda match: values.get(match[1]) or self._variable(match[1]), text)

    def _variable(self, name: str) -> str:
        return str(self._attribute(name) if "." in name else self._ref(name))

    def _ref(self, name: str) -> Any:
        stack = self._deployment.stack
        match name:
            case "AWS::NoValue":
                return _NO_VALUE
            case "AWS::AccountId":
                return stack.account_id
            case "AWS::Partition":
                return self._deployment.partition
            case "AWS::Region":
                return stack.region
            case "AWS::StackId":
                return stack.id
            case "AWS::StackName":
                return stack.name
        if name in self._template["Parameters"]:
            # A stack of an older template lacks the newest parameters.
            return stack.parameters.get(name, str(self._template["Parameters"][name].get("Default", "")))
        return self._deployment.output(self._outputs["Ref", name])

    def _attribute(self, path: str) -> str:
        if output := self._outputs.get(("Fn::GetAtt", path)):
            return self._deployment.output(output)
        name, _, attribute = path.partition(".")
        if attribute != "Arn":
            raise ValueError(f"no output of the template contains {path}")
        return _ARNS[self._resources[name]["Type"]](self._deployment, str(self._ref(name)))

    def _condition(self, name: str) -> bool:
        return self._is_true(self._template["Conditions"][name])

    def _is_true(self, expression: Mapping[str, Any]) -> bool:
        [(name, argument)] = expression.items()
        match name:
            case "Condition":
                return self._condition(argument)
            case "Fn::And":
                return all(map(self._is_true, argument))
            case "Fn::Or":
                return any(map(self._is_true, argument))
            case "Fn::Not":
                return not self._is_true(argument[0])
            case "Fn::Equals":
                first, second = map(self._resolve, argument)
                return bool(first == second)
        raise ValueError(f"{name} in a condition of the template is not supported")
