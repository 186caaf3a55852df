"""Attaching an existing configuration set: its destinations are created once, and other destinations are kept."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from pipeline.aws.deployment.attach import (
    AttachAction,
    AttachedSet,
    AttachStep,
    attach,
    attached_sets,
    check_set,
    detach,
    plan_attachment,
)
from pipeline.aws.deployment.destinations import (
    ENGAGEMENT_TYPES,
    QUIET_TYPES,
    event_destinations,
    existing_destinations,
    tracks_engagement,
)
from pipeline.aws.stack import Stack
from pipeline.errors import AccessDenied, InvalidInput, ServiceUnavailable, UsageError
from tests.support import cloudformation
from tests.support.fake_service import ACCOUNT, REGION
from tests.support.fake_ses import FakeSes

SET = "newsletter"
STREAM = f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/events"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/ses"
BUS = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"
STACK = Stack(
    name="mail",
    id=f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/mail/6b2d",
    status="UPDATE_COMPLETE",
    parameters={"ConfigurationSets": f"{SET},receipts"},
    outputs={
        "ConfigurationSet": "mail",
        "ConfigurationSets": f"mail,{SET},receipts",
        "DeliveryStreamArn": STREAM,
        "SesRoleArn": ROLE,
    },
)


def an_archive(*, name: str = "archive", stream: str = STREAM, role: str = ROLE, **more: Any) -> dict[str, Any]:
    """Return a destination to Firehose as SES describes it."""
    target = {"IamRoleArn": role, "DeliveryStreamArn": stream}
    types = sorted(QUIET_TYPES)
    return {"Name": name, "Enabled": True, "MatchingEventTypes": types, "KinesisFirehoseDestination": target, **more}


def a_feedback(*, name: str = "feedback", **more: Any) -> dict[str, Any]:
    """Return a destination to EventBridge as SES describes it."""
    types = ["COMPLAINT", "BOUNCE"]
    target = {"EventBusArn": BUS}
    return {"Name": name, "Enabled": True, "MatchingEventTypes": types, "EventBridgeDestination": target, **more}


def a_topic(name: str) -> dict[str, Any]:
    """Return a destination to SNS as SES describes it."""
    return {"Name": name, "Enabled": True, "MatchingEventTypes": ["BOUNCE"], "SnsDestination": {"TopicArn": "arn:sns"}}


def steps_for(existing: Sequence[Any], *, tracks: bool = False, replace: bool = False) -> tuple[AttachStep, ...]:
    """Return the steps for a set with these destinations."""
    return plan_attachment(event_destinations(STACK, tracks=tracks), existing, replace=replace)


def attached(ses: FakeSes, *, tracks: bool = False, replace: bool = False) -> list[AttachAction]:
    """Attach the set without waiting, and return the actions."""
    client = ses.client()
    steps = steps_for(existing_destinations(client, SET) or (), tracks=tracks, replace=replace)
    attach(client, SET, steps, wait=lambda _: None)
    return [step.action for step in steps]


def test_attaching_twice_creates_both_destinations_once() -> None:
    """Both destinations are created, another one is kept, and a second attachment sends no request."""
    ses = FakeSes({SET: [a_topic("mine")]})
    assert attached(ses) == [AttachAction.CREATED, AttachAction.CREATED]
    after = {
        name: {**destination, "MatchingEventTypes": {*destination["MatchingEventTypes"]}}
        for name, destination in ses.sets[SET].items()
    }
    assert after["mine"] == a_topic("mine") | {"MatchingEventTypes": {"BOUNCE"}}
    assert after["archive"] == an_archive() | {"MatchingEventTypes": {*QUIET_TYPES}}
    assert after["feedback"] == a_feedback() | {"MatchingEventTypes": {"BOUNCE", "COMPLAINT"}}
    changes = ses.changes()
    assert attached(ses) == [AttachAction.UNCHANGED, AttachAction.UNCHANGED]
    assert ses.changes() == changes


def test_destinations_equal_those_of_the_template() -> None:
    """The destinations are those that the template creates for the stack's own set."""
    resources = cloudformation.template()["Resources"]
    for destination, name in zip(
        event_destinations(STACK, tracks=True), ("ArchiveDestination", "FeedbackDestination"), strict=True
    ):
        declared = resources[name]["Properties"]["EventDestination"]
        assert declared["Name"] == destination.name
        types = declared["MatchingEventTypes"]
        tracked = types["Fn::If"][1] if isinstance(types, dict) else types
        assert {_upper_snake(event_type) for event_type in tracked} == destination.types
        if isinstance(types, dict):
            assert {
                _upper_snake(event_type) for event_type in types["Fn::If"][2]
            } == destination.types - ENGAGEMENT_TYPES


def _upper_snake(name: str) -> str:
    """Return CloudFormation's name of an event type in the API's form."""
    return "".join(f"_{letter}" if letter.isupper() else letter.upper() for letter in name)


@pytest.mark.parametrize("tracks", [True, False])
def test_opens_and_clicks_are_sent_only_if_requested(tracks: bool) -> None:
    """SES reports opens and clicks only with tracking, which is recognized afterwards."""
    ses = FakeSes({SET: []})
    attached(ses, tracks=tracks)
    types = {*ses.sets[SET]["archive"]["MatchingEventTypes"]}
    assert (types >= ENGAGEMENT_TYPES, bool(types & ENGAGEMENT_TYPES)) == (tracks, tracks)
    assert tracks_engagement(STACK, existing_destinations(ses.client(), SET) or ()) is tracks


def test_tracking_is_unknown_for_a_set_of_another_stack() -> None:
    """A set whose archive sends to another stack does not show whether it tracks."""
    ses = FakeSes({SET: [a_topic("mine"), a_feedback(), an_archive(stream="arn:another")]})
    assert tracks_engagement(STACK, existing_destinations(ses.client(), SET) or ()) is None


@pytest.mark.parametrize(
    "change", [{"Enabled": False}, {"MatchingEventTypes": ["SEND"]}, {"role": "arn:an-old-role"}], ids=str
)
def test_a_different_destination_to_this_stack_is_updated(change: dict[str, Any]) -> None:
    """A destination to the stack that is disabled, lacks types or has another role is updated once."""
    ses = FakeSes({SET: [an_archive(**change), a_feedback()]})
    assert attached(ses) == [AttachAction.UPDATED, AttachAction.UNCHANGED]
    assert attached(ses) == [AttachAction.UNCHANGED, AttachAction.UNCHANGED]
    assert ses.changes() == ["update_configuration_set_event_destination"]


def test_an_equal_destination_of_another_name_is_kept() -> None:
    """A second destination would send every event twice, so none is created."""
    ses = FakeSes(
        {SET: [an_archive(name="all"), a_feedback(name="bus", MatchingEventTypes=["BOUNCE", "COMPLAINT", "SEND"])]}
    )
    assert attached(ses) == [AttachAction.UNCHANGED, AttachAction.UNCHANGED]
    assert ses.changes() == []


@pytest.mark.parametrize(
    "other", [an_archive(stream="arn:of-another-stack"), a_topic("archive")], ids=["stack", "kind"]
)
def test_a_destination_elsewhere_is_replaced_only_if_requested(other: dict[str, Any]) -> None:
    """A destination of the same name with another target is replaced with `replace`, and reported otherwise."""
    ses = FakeSes({SET: [other]})
    with pytest.raises(UsageError, match=r"archive of the configuration set sends to arn:.*--replace"):
        attached(ses)
    assert ses.changes() == []
    assert attached(ses, replace=True) == [AttachAction.REPLACED, AttachAction.CREATED]
    assert ses.sets[SET]["archive"]["KinesisFirehoseDestination"]["DeliveryStreamArn"] == STREAM
    assert "SnsDestination" not in ses.sets[SET]["archive"]


def test_too_many_destinations_are_rejected_beforehand() -> None:
    """The limit of destinations is checked before the first one is created."""
    with pytest.raises(InvalidInput, match="has 9 destinations, and SES allows 10"):
        steps_for([a_topic(f"topic-{number}") for number in range(9)])
    assert len(steps_for([a_topic(f"topic-{number}") for number in range(8)])) == 2


def test_a_new_role_is_retried_until_ses_accepts_it() -> None:
    """SES rejects a role that IAM has not propagated, so the request is repeated after a wait and a report."""
    ses, waits, words = FakeSes({SET: []}, refuses=["BadRequestException"] * 3), list[float](), list[str]()
    attach(ses.client(), SET, steps_for([]), report=words.append, wait=waits.append)
    assert {*ses.sets[SET]} == {"archive", "feedback"}
    assert len(waits) == 3
    assert "role" in words[0]


def test_a_replaced_destination_is_retried_too() -> None:
    """The retry also applies to a destination that was deleted first."""
    ses = FakeSes({SET: [an_archive(stream="arn:another"), a_feedback()]}, refuses=["BadRequestException"])
    assert attached(ses, replace=True) == [AttachAction.REPLACED, AttachAction.UNCHANGED]
    assert ses.sets[SET]["archive"]["KinesisFirehoseDestination"]["DeliveryStreamArn"] == STREAM


def test_a_permanent_rejection_is_reported_in_the_end() -> None:
    """After the last attempt SES's reason is reported."""
    ses = FakeSes({SET: []}, refuses=["BadRequestException"] * 100)
    with pytest.raises(InvalidInput, match="BadRequestException: rejected by the fake"):
        attached(ses)


@pytest.mark.parametrize(
    ("code", "error"), [("AccessDeniedException", AccessDenied), ("TooManyRequestsException", ServiceUnavailable)]
)
def test_other_errors_are_not_retried(code: str, error: type[Exception]) -> None:
    """A denial and throttling are reported without a wait."""
    waits: list[float] = []
    with pytest.raises(error):
        attach(FakeSes({SET: []}, refuses=[code]).client(), SET, steps_for([]), wait=waits.append)
    assert waits == []


def test_a_set_that_the_stack_does_not_accept_is_rejected() -> None:
    """The message contains the deploy command with all accepted sets and the new one."""
    with pytest.raises(
        UsageError, match=rf"deploy --stack mail --region eu-west-1 --param ConfigurationSets={SET},receipts,another`"
    ):
        check_set(STACK, "another")
    check_set(STACK, SET)


def test_a_stack_that_accepts_all_sets_accepts_any() -> None:
    """Its attached sets are found among all of the account."""
    every = msgspec.structs.replace(STACK, outputs={**STACK.outputs, "ConfigurationSets": "mail,*"})
    ses = FakeSes({SET: [], "other": [a_topic("mine")]})
    check_set(every, "any")
    attached(ses)
    assert [attached_set.configuration_set for attached_set in attached_sets(ses.client(), every)] == [SET]


def test_the_stacks_own_set_cannot_be_attached() -> None:
    """The template creates the destinations of the stack's own set."""
    with pytest.raises(UsageError, match="own configuration set"):
        check_set(STACK, "mail")


def test_a_missing_set_has_no_destinations() -> None:
    """Destinations of a set that does not exist are None."""
    assert existing_destinations(FakeSes({}).client(), SET) is None


def test_an_attached_set_is_found_and_detached() -> None:
    """Detaching is safe to repeat, and deletes only the destinations to the stack."""
    ses = FakeSes({SET: [a_topic("mine")], "receipts": [a_topic("mine")]})
    attached(ses)
    client = ses.client()
    sets = attached_sets(client, STACK)
    assert sets == (AttachedSet(configuration_set=SET, destinations=("archive", "feedback")),)
    for _ in range(2):
        detach(client, sets[0])
    assert [*ses.sets[SET]] == ["mine"]
    assert attached_sets(client, STACK) == ()


def test_feedback_of_another_stack_is_not_detached() -> None:
    """The default bus serves all stacks, so `feedback` is kept if `archive` sends to another stack."""
    ses = FakeSes({SET: [an_archive(stream="arn:another"), a_feedback(), an_archive(name="all")], "receipts": []})
    assert attached_sets(ses.client(), STACK) == (AttachedSet(configuration_set=SET, destinations=("all",)),)


def test_an_unfinished_stack_has_no_attached_sets() -> None:
    """A stack without outputs has no attached sets."""
    unfinished = Stack(name="mail", id=STACK.id, status="ROLLBACK_COMPLETE", parameters={}, outputs={})
    assert attached_sets(FakeSes({}).client(), unfinished) == ()
