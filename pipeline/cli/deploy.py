"""`mailfold deploy`: deploy Mailfold to an AWS account."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from pipeline.aws.clients import Clients
from pipeline.aws.deployment.bundle import build_bundle
from pipeline.aws.deployment.code_bucket import check_bucket_name
from pipeline.aws.deployment.deploy import DeploymentRequest, deploy
from pipeline.aws.deployment.parameters import check_name, check_parameters
from pipeline.aws.deployment.template import load_template
from pipeline.aws.stack import Stack
from pipeline.cli import prompt
from pipeline.cli.deploy_progress import DeployConsole
from pipeline.cli.options import RegionOption, StackOption, required_stack
from pipeline.cli.output import results, say, size, to_people, write_json
from pipeline.cli.target import connect_aws
from pipeline.errors import MailfoldError, UsageError

Parameters = Annotated[
    list[str] | None,
    typer.Option("--param", metavar="NAME=VALUE", help="A template parameter. Others keep their values."),
]
CodeBucketName = Annotated[
    str | None, typer.Option("--code-bucket", metavar="BUCKET", help="Bucket for the code. Created if missing.")
]


def deploy_command(
    *,
    stack: StackOption = None,
    region: RegionOption = None,
    param: Parameters = None,
    code_bucket: CodeBucketName = None,
    yes: Annotated[bool, typer.Option("--yes", help="Apply the changes without asking.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the changes without applying them.")] = False,
    views: Annotated[bool, typer.Option(help="Update Athena's views and saved queries.")] = True,
    template_only: Annotated[bool, typer.Option("--template-only", help="Print the template. Needs no AWS.")] = False,
    bundle_only: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the Lambda code to a file. Needs no AWS.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print changes or outputs as JSON.")] = False,
) -> None:
    """Create or update a stack of Mailfold in AWS. Changes are shown before they are applied.

    Safe to repeat. A dry run uploads the code too, and creates its bucket if there is none, because CloudFormation
    compares with what is uploaded.

    Example: mailfold deploy --template-only
    """
    if template_only:
        sys.stdout.write(load_template().text)
    if bundle_only:
        _write_bundle(bundle_only)
    if template_only or bundle_only:
        return
    request = _parse_request(stack, param or [], code_bucket=code_bucket, dry_run=dry_run, views=views)
    if not (yes or dry_run or prompt.can_ask()):
        raise UsageError(
            "no terminal to ask for confirmation: use --yes to apply the changes, or --dry-run to see them"
        )
    console = DeployConsole(request, asks=not yes, changes_to=to_people() if json else results(), json=json)
    with console.status:
        try:
            deployed = deploy(request, Clients(connect_aws(region)), console)
        except (KeyboardInterrupt, MailfoldError):
            console.report_unfinished()
            raise
    if deployed:
        print_outputs(deployed, json=json)


def _write_bundle(file: Path) -> None:
    bundle = build_bundle(runtime=load_template().runtime)
    file.write_bytes(bundle.data)
    say([f"{file}: {size(len(bundle.data))}, SHA-256 {bundle.sha256}"], to=to_people())


def _parse_request(
    stack: str | None, parameters: Sequence[str], *, code_bucket: str | None, dry_run: bool, views: bool
) -> DeploymentRequest:
    """Return the request. Mistakes are reported before the first request to AWS."""
    name = required_stack(stack)
    values: dict[str, str] = {}
    for parameter in parameters:
        key, equals, value = parameter.partition("=")
        if not equals or key in values:
            raise UsageError(f"invalid --param {key!r}: use NAME=VALUE, and each name once")
        values[key] = value
    check_name(name)
    if code_bucket is not None:
        check_bucket_name(code_bucket)
    check_parameters(values, template=load_template())
    return DeploymentRequest(stack=name, parameters=values, code_bucket=code_bucket, dry_run=dry_run, views=views)


def print_outputs(stack: Stack, *, json: bool) -> None:
    """Print the outputs of a stack, and the next steps unless JSON is printed."""
    if json:
        write_json({"stack": stack.name, "status": stack.status, "outputs": stack.outputs})
        return
    width = max(map(len, stack.outputs))
    say((f"{name:<{width}}  {value}" for name, value in sorted(stack.outputs.items())), to=results())
    say(_next_steps(stack), to=to_people())


def _next_steps(stack: Stack) -> Iterator[str]:
    yield ""
    yield f"The stack {stack.name} is {stack.status}. Next steps:"
    yield f"  - send with the configuration set {stack.output('ConfigurationSet')} (ConfigurationSetName)"
    for name in filter(None, stack.parameters.get("ConfigurationSets", "").split(",")):
        yield f"  - attach {name} if it is not attached: mailfold attach {name} {stack.options}"
    if stack.parameters.get("AlarmEmail"):
        yield "  - confirm the alarm subscription, if you have not: AWS sent a mail to the address in AlarmEmail"
    else:
        yield f"  - name a receiver of the alarms: mailfold deploy {stack.options} --param AlarmEmail=ADDRESS"
    yield f"  - let senders look up addresses: attach the policy {stack.output('SenderPolicyArn')} to their role"
    yield f"  - check the deployment: mailfold doctor {stack.options}"
