"""`mailfold deploy`: deploy Mailfold to an AWS account."""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import typer

from pipeline.aws.clients import Clients
from pipeline.aws.deployment.bundle import Bundle, build_bundle
from pipeline.aws.deployment.code_bucket import CodeObject, check_bucket_name
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
Tags = Annotated[
    list[str] | None,
    typer.Option("--tag", metavar="KEY=VALUE", help="A tag of the stack and its resources. Others keep their values."),
]
CodeSource = Annotated[
    str | None,
    typer.Option("--bundle", metavar="FILE", help="Lambda code that was built before: a file, or s3://BUCKET/KEY."),
]
Confirmed = Annotated[
    list[str] | None,
    typer.Option("--confirm", metavar="NAME", help="Confirm the deletion of data in that bucket or stream."),
]

S3_URL = re.compile(r"s3://([^/]+)/(.+)")
ROLE_ARN = re.compile(r"arn:[a-z-]+:iam::\d{12}:role/.+", re.ASCII)
# docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
MAX_TAG_KEY, MAX_TAG_VALUE, AWS_TAG = 128, 256, "aws:"


def deploy_command(
    *,
    stack: StackOption = None,
    region: RegionOption = None,
    param: Parameters = None,
    code_bucket: CodeBucketName = None,
    bundle: CodeSource = None,
    tag: Tags = None,
    role_arn: Annotated[
        str | None, typer.Option(metavar="ARN", help="A role that CloudFormation assumes, now and from then on.")
    ] = None,
    confirm: Confirmed = None,
    yes: Annotated[bool, typer.Option("--yes", help="Apply the changes without asking.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the changes without applying them.")] = False,
    views: Annotated[bool, typer.Option(help="Update Athena's views and saved queries.")] = True,
    beside_only: Annotated[
        bool, typer.Option("--beside-only", help="Leave the stack to another tool; update what is beside it.")
    ] = False,
    template_only: Annotated[bool, typer.Option("--template-only", help="Print the template. Needs no AWS.")] = False,
    bundle_only: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the Lambda code to a file. Needs no AWS.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print changes or outputs as JSON.")] = False,
) -> None:
    """Create or update a stack of Mailfold in AWS. Changes are shown before they are applied.

    A parameter that shortens how long data is kept deletes data. It needs the name of its bucket or stream, typed or by
    --confirm; --yes is not enough.

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
    code = _read_code(bundle)
    request = DeploymentRequest(
        stack=required_stack(stack),
        parameters=_parse_pairs("--param", "NAME", param or []),
        code_bucket=code_bucket,
        code=code if isinstance(code, CodeObject) else None,
        tags=_parse_pairs("--tag", "KEY", tag or []),
        role_arn=role_arn,
        dry_run=dry_run,
        views=views,
        beside_only=beside_only,
    )
    _check_request(request)
    if beside_only and (param or tag or bundle or code_bucket or role_arn or dry_run):
        raise UsageError(
            "--beside-only changes nothing in the stack: use it without options for the stack and its code"
        )
    if not (yes or dry_run or beside_only or prompt.can_ask()):
        raise UsageError(
            "no terminal to ask for confirmation: use --yes to apply the changes, or --dry-run to see them"
        )
    console = DeployConsole(
        request, asks=not yes, confirmed=confirm or [], changes_to=to_people() if json else results(), json=json
    )
    with console.status:
        try:
            deployed = deploy(
                request, Clients(connect_aws(region)), console, bundle=code if isinstance(code, Bundle) else None
            )
        except (KeyboardInterrupt, MailfoldError):
            console.report_unfinished()
            raise
    if deployed:
        print_outputs(deployed, kept_logs=console.kept_logs, json=json)


def _write_bundle(file: Path) -> None:
    bundle = build_bundle(runtime=load_template().runtime)
    file.write_bytes(bundle.data)
    say([f"{file}: {size(len(bundle.data))}, SHA-256 {bundle.sha256}"], to=to_people())


def _read_code(source: str | None) -> CodeObject | Bundle | None:
    """Return the bundle that is in S3 or in a file, or None if it is to be built."""
    if source is None:
        return None
    if match := S3_URL.fullmatch(source):
        return CodeObject(bucket=match[1], key=match[2])
    try:
        data = Path(source).read_bytes()
    except OSError as error:
        raise UsageError(f"the bundle cannot be read: {error.strerror}: use a file of --bundle-only") from error
    return Bundle(data=data, sha256=sha256(data).hexdigest())


def _parse_pairs(option: str, name: str, texts: Sequence[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key or key in pairs:
            raise UsageError(f"invalid {option} {key!r}: use {name}=VALUE, and each {name.lower()} once")
        pairs[key] = value
    return pairs


def _check_request(request: DeploymentRequest) -> None:
    """Report mistakes before the first request to AWS."""
    check_name(request.stack)
    if request.code_bucket is not None:
        check_bucket_name(request.code_bucket)
    if request.role_arn is not None and not ROLE_ARN.fullmatch(request.role_arn):
        raise UsageError("invalid --role-arn: use the ARN of an IAM role, as in arn:aws:iam::123456789012:role/NAME")
    _check_tags(request.tags)
    check_parameters(request.parameters, template=load_template())


def _check_tags(tags: Mapping[str, str]) -> None:
    for key, value in tags.items():
        if len(key) > MAX_TAG_KEY or len(value) > MAX_TAG_VALUE or key.lower().startswith(AWS_TAG):
            raise UsageError(
                f"invalid --tag {key!r}: a key has at most {MAX_TAG_KEY} characters and does not begin with {AWS_TAG}, "
                f"a value has at most {MAX_TAG_VALUE}"
            )


def print_outputs(stack: Stack, *, kept_logs: Sequence[str] = (), json: bool) -> None:
    """Print the outputs of a stack, and the next steps unless JSON is printed."""
    if json:
        write_json({"stack": stack.name, "status": stack.status, "outputs": stack.outputs})
        return
    width = max(map(len, stack.outputs))
    say((f"{name:<{width}}  {value}" for name, value in sorted(stack.outputs.items())), to=results())
    say(_next_steps(stack, kept_logs), to=to_people())


def _next_steps(stack: Stack, kept_logs: Sequence[str]) -> Iterator[str]:
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
    for bucket in kept_logs:
        yield f"  - adopt the log that an earlier stack left: mailfold ingest s3://{bucket}/events/ {stack.options}"
    yield f"  - check the deployment: mailfold doctor {stack.options}"
