"""Convert items of a DynamoDB export into what they hold: a record of SES, or the attributes of AWS's bounce article.

The article "Store Amazon SES notification details in DynamoDB" keeps a few fields of each notification as attributes,
and not the type of a bounce. So the status of each recipient decides: 5.x.x is permanent. Pure.
repost.aws/knowledge-center/lambda-sns-ses-dynamodb and
docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html
"""

import json
from typing import Any

MESSAGE_TYPE = "SESMessageType"
_TYPES = {"bounce": "Bounce", "complaint": "Complaint", "delivery": "Delivery"}


def plain_item(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return an item without DynamoDB's types: each value instead of {"S": value}."""
    return {name: _plain_value(value) for name, value in attributes.items()}


def bounce_table_record(item: dict[str, Any]) -> dict[str, Any] | None:
    """Return the record of SES in an item of the article's table, or None if it is no such item.

    Args:
        item: The item, from `plain_item`.
    """
    if MESSAGE_TYPE not in item:
        return None
    type_name = str(item[MESSAGE_TYPE])
    details: dict[str, Any] = {"timestamp": item.get("SnsPublishTime"), "feedbackId": item.get("SESFeedbackId")}
    match type_name.lower():
        case "bounce":
            recipients = _parsed(item.get("SESbounceSummary"))
            permanent = any(str(recipient.get("status", "")).startswith("5") for recipient in recipients)
            details |= {
                "bounceType": item.get("SESbounceType", "Permanent" if permanent else "Undetermined"),
                "bounceSubType": item.get("SESbounceSubType", "General" if permanent else "Undetermined"),
                "bouncedRecipients": recipients,
                "reportingMTA": item.get("SESreportingMTA"),
            }
        case "complaint":
            details |= {"complaintFeedbackType": item.get("SESComplaintFeedbackType"), "complainedRecipients": []}
        case "delivery":
            details |= {"smtpResponse": item.get("SESsmtpResponse"), "reportingMTA": item.get("SESreportingMTA")}
    mail = {
        "messageId": item.get("SESMessageId"),
        "destination": item.get("SESDestinationAddress"),
        "timestamp": item.get("SnsPublishTime"),
    }
    return {"eventType": _TYPES.get(type_name.lower(), type_name), "mail": mail, type_name.lower(): details}


def _plain_value(value: Any) -> Any:
    if not isinstance(value, dict) or len(value) != 1:
        return value
    [(type_name, content)] = value.items()
    match type_name, content:
        case "M", dict():
            return plain_item(content)
        case "L", list():
            return [_plain_value(element) for element in content]
        case "NULL", _:
            return None
    return content


def _parsed(summary: Any) -> list[dict[str, Any]]:
    """Return the recipients in the article's summary of a bounce, which is their JSON."""
    try:
        recipients = json.loads(summary) if isinstance(summary, str) else summary
    except (ValueError, RecursionError):
        return []
    recipients = recipients if isinstance(recipients, list) else [recipients]
    return [recipient for recipient in recipients if isinstance(recipient, dict)]
