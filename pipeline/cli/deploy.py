"""`mailfold deploy`: Mailfold into an AWS account of one's own."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from pipeline.aws.deployment.bundle import build_bundle
from pipeline.aws.deployment.code_bucket import check_bucket_name
from pipeline.aws.deployment.deploy import Clients, DeploymentRequest, deploy
from pipeline.aws.deployment.template import check_name, check_parameters, load_template
from pipeline.aws.stack import Stack
from pipeline.cli import prompt
from pipeline.cli.deploy_progress import DeployConsole
from pipeline.cli.options import RegionOption, StackOption, required_stack
from pipeline.cli.output import results, say, size, to_people, write_json
from pipeline.cli.target import connect_aws
from pipeline.errors import MailfoldError, UsageError

Parameters = Annotated[
    list[str] | None,
    typer.Option("--param", metavar="NAME=VALUE", help="A parameter of the template; what is not given stays."),
]
CodeBucketName = Annotated[
    str | None, typer.Option("--code-bucket", metavar="BUCKET", help="Where code goes; made if it is not there.")
]


def deploy_command(
    *,
    stack: StackOption = None,
    region: RegionOption = None,
    param: Parameters = None,
    code_bucket: CodeBucketName = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and leave it.")] = False,
    views: Annotated[bool, typer.Option(help="Bring Athena's views and saved queries up to date.")] = True,
    template_only: Annotated[bool, typer.Option("--template-only", help="Print the template. Needs no AWS.")] = False,
    bundle_only: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the Lambdas' code to a file. Needs no AWS.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Changes or outputs as JSON.")] = False,
) -> None:
    """Make a stack of Mailfold in AWS, or bring one up to date; what would change is shown first.

    Safe to repeat. A dry run uploads the code too, and makes its bucket where there is none, since CloudFormation
    compares with what is uploaded.

    Example: mailfold deploy --template-only
    """
    if template_only:
        sys.stdout.write(load_template().text)
    if bundle_only:
        _write_bundle(bundle_only)
    if template_only or bundle_only:
        return
    order = _order(stack, param or [], code_bucket=code_bucket, dry_run=dry_run, views=views)
    if not (yes or dry_run or prompt.can_ask()):
        raise UsageError("nobody can be asked here: say --yes to apply what changes, or --dry-run to see it")
    operator = DeployConsole(order, asks=not yes, console=to_people() if json else results(), json=json)
    with operator.status:
        try:
            deployed = deploy(order, _clients(region), operator)
        except (KeyboardInterrupt, MailfoldError):
            operator.left()
            raise
    if deployed:
        print_next_steps(deployed, json=json)


def print_next_steps(stack: Stack, *, json: bool) -> None:
    """Give the outputs, and what is left to do."""
    if json:
        write_json({"stack": stack.name, "status": stack.status, "outputs": stack.outputs})
        return
    width = max(map(len, stack.outputs))
    say((f"{name:<{width}}  {value}" for name, value in sorted(stack.outputs.items())), to=results())
    say(_next(stack), to=to_people())


def _next(stack: Stack) -> Iterator[str]:
    yield ""
    yield f"The stack {stack.name} is {stack.status}. What is left to do:"
    yield f"  - name the configuration set {stack.output('ConfigurationSet')} when sending (ConfigurationSetName)"
    for name in filter(None, stack.parameters.get("ConfigurationSets", "").split(",")):
        yield f"  - let {name} send its events here, unless it does: mailfold attach {name} {stack.options}"
    if stack.parameters.get("AlarmEmail"):
        yield "  - confirm the alarms, unless that is done: AWS sent a mail about them to the address of AlarmEmail"
    else:
        yield f"  - say who hears the alarms: mailfold deploy {stack.options} --param AlarmEmail=ADDRESS"
    yield f"  - let senders look up: attach the policy {stack.output('SenderPolicyArn')} to their role"
    yield f"  - check every link: mailfold doctor {stack.options}"


def _write_bundle(file: Path) -> None:
    bundle = build_bundle(runtime=load_template().runtime)
    file.write_bytes(bundle.data)
    say([f"{file}: {size(len(bundle.data))}, SHA-256 {bundle.sha256}"], to=to_people())


def _order(
    stack: str | None, parameters: Sequence[str], *, code_bucket: str | None, dry_run: bool, views: bool
) -> DeploymentRequest:
    """Return what is wanted, checked: what is wrong is said before anything is asked of AWS."""
    name = required_stack(stack)
    given: dict[str, str] = {}
    for parameter in parameters:
        key, equals, value = parameter.partition("=")
        if not equals or key in given:
            raise UsageError(f"--param takes NAME=VALUE, each name once, and not {key!r}")
        given[key] = value
    check_name(name)
    if code_bucket is not None:
        check_bucket_name(code_bucket)
    check_parameters(given, template=load_template())
    return DeploymentRequest(stack=name, parameters=given, code_bucket=code_bucket, dry_run=dry_run, views=views)


def _clients(region: str | None) -> Clients:
    connect = connect_aws(region)
    return Clients(
        athena=connect("athena"),
        cloudformation=connect("cloudformation"),
        dynamodb=connect("dynamodb"),
        s3=connect("s3"),
        ssm=connect("ssm"),
        sts=connect("sts"),
    )
