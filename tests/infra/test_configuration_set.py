"""SES: event destinations of the stack's own configuration set, and other sets that the stack accepts."""

from typing import Any

import pytest

from tests.support.cloudformation import ACCOUNT, NAME, REGION, stack

ENGAGEMENT = {"open", "click"}
ALL = ENGAGEMENT | {
    *("send", "reject", "bounce", "complaint", "delivery", "renderingFailure", "deliveryDelay", "subscription"),
}


def destination(name: str, **parameters: str) -> Any:
    properties = stack(**parameters).properties(name)
    assert properties["ConfigurationSetName"] == "{ConfigurationSet}"
    assert properties["EventDestination"]["Enabled"] is True
    return properties["EventDestination"]


def sets_matched(**parameters: str) -> list[str]:
    pattern = stack(**parameters).properties("FeedbackRule")["EventPattern"]
    sets: list[str] = pattern["detail"]["mail"]["tags"]["ses:configuration-set"]
    return sets


def trust(**parameters: str) -> Any:
    (statement,) = stack(**parameters).properties("SesRole")["AssumeRolePolicyDocument"]["Statement"]
    return statement


def test_all_ten_types_go_to_firehose() -> None:
    archive = destination("ArchiveDestination")
    assert set(archive["MatchingEventTypes"]) == ALL
    assert archive["KinesisFirehoseDestination"] == {
        "DeliveryStreamARN": "{DeliveryStream.Arn}",
        "IAMRoleARN": "{SesRole.Arn}",
    }


def test_opens_and_clicks_are_not_asked_for_if_mail_is_to_stay_as_it_is() -> None:
    archive = destination("ArchiveDestination", TrackEngagement="false")
    assert set(archive["MatchingEventTypes"]) == ALL - ENGAGEMENT


def test_bounces_and_complaints_go_to_the_default_bus_as_well() -> None:
    feedback = destination("FeedbackDestination")
    assert set(feedback["MatchingEventTypes"]) == {"bounce", "complaint"}
    assert feedback["EventBridgeDestination"]["EventBusArn"] == f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"


def test_ses_keeps_its_own_list_and_measures_reputation() -> None:
    properties = stack().properties("ConfigurationSet")
    assert properties["Name"] == NAME
    assert properties["SuppressionOptions"] == {"SuppressedReasons": ["BOUNCE", "COMPLAINT"]}
    assert properties["ReputationOptions"] == {"ReputationMetricsEnabled": True}


@pytest.mark.parametrize(
    ("given", "others"), [({}, []), ({"ConfigurationSets": "news, password_reset"}, ["news", "password_reset"])]
)
def test_rule_role_and_output_let_in_the_stacks_own_set_and_those_that_join(
    given: dict[str, str], others: list[str]
) -> None:
    own = "{ConfigurationSet}"

    assert sets_matched(**given) == [own, *others]
    assert trust(**given)["Condition"]["ArnLike"] == {
        "AWS:SourceArn": [f"arn:*:ses:*:*:configuration-set/{name}" for name in (own, *others)]
    }
    assert stack(**given).outputs["ConfigurationSets"]["Value"] == ",".join([own, *others])


def test_ses_takes_its_role_on_for_sets_of_this_account_and_region_only() -> None:
    statement = trust()
    assert statement["Principal"] == {"Service": "ses.amazonaws.com"}
    assert statement["Condition"]["StringEquals"] == {"AWS:SourceAccount": ACCOUNT}
    assert statement["Condition"]["StringLike"] == {
        "AWS:SourceArn": f"arn:aws:ses:{REGION}:{ACCOUNT}:configuration-set/*"
    }
