// Asks Mailfold's suppression table before a mail is sent. The contract: ../item.json.
import { createHmac } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";

const CONTRACT = "1";

/** Returns true if mail of `purpose` must not be sent at `now`. `items` are those of `*` and of the sender's tenant. */
export function isSuppressed(items, { purpose, now = new Date() } = {}) {
  const unknown = items.find((item) => item.contract?.N !== CONTRACT);
  if (unknown) throw new Error(`unknown contract ${unknown.contract?.N}: use the reader of this version of Mailfold`);
  return items.flatMap((item) => item.reasons.L).some(({ M: reason }) => {
    const hasEnded = reason.until !== undefined && reason.until.S <= now.toISOString();
    const isExempt = reason.exempt?.L.some(({ S }) => S === purpose) ?? false;
    return !hasEnded && !isExempt;
  });
}

/** Returns the address under which lies what is known about a person who was erased. */
export function pseudonym(address, erasureKey) {
  return `${createHmac("sha256", erasureKey).update(address, "utf8").digest("hex")}@erased.invalid`;
}

/**
 * Returns the items of a canonical address; with the key of erasures, those of its pseudonym too. `dynamodb` is a
 * DynamoDBClient of @aws-sdk/client-dynamodb.
 */
export async function readItems(dynamodb, table, address, { scope = "*", erasureKey } = {}) {
  const { BatchGetItemCommand } = await import("@aws-sdk/client-dynamodb");
  const forms = erasureKey ? [address, pseudonym(address, erasureKey)] : [address];
  const scopes = [...new Set(["*", scope])];
  const Keys = forms.flatMap((form) => scopes.map((each) => ({ address: { S: form }, scope: { S: each } })));
  const items = [];
  let RequestItems = { [table]: { Keys, ConsistentRead: true } };
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const answer = await dynamodb.send(new BatchGetItemCommand({ RequestItems }));
    items.push(...(answer.Responses?.[table] ?? []));
    RequestItems = answer.UnprocessedKeys ?? {};
    if (Object.keys(RequestItems).length === 0) return items;
    await wait(100 * 2 ** attempt);
  }
  throw new Error(`the table ${table} is busy: do not send, and ask again later`);
}
