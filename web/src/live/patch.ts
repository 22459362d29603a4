/**
 * JSON merge patches (RFC 7396) between state documents.
 *
 * Keys of a document are strings that senders choose, `__proto__` among them, so every object
 * made here has no prototype: a key is a member and nothing else. Documents are never changed
 * in place; what a patch does not touch is the same object before and after, which lets the
 * screen skip it.
 */

export type Json = string | number | boolean | null | Json[] | JsonObject;
export interface JsonObject {
  [key: string]: Json;
}

/** Returns the document that `patch` makes of `target` (RFC 7396 section 2, `MergePatch`). */
export function applyPatch(target: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) return adopt(patch);
  const result = bare();
  if (isObject(target)) Object.assign(result, target);
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = applyPatch(result[key], value);
  }
  return result;
}

/** Returns the patch that turns `before` into `after`; an empty one means that they are equal. */
export function difference(before: JsonObject, after: JsonObject): JsonObject {
  const patch = bare();
  for (const key of Object.keys(before)) if (!Object.hasOwn(after, key)) patch[key] = null;
  for (const [key, value] of Object.entries(after)) {
    const old = Object.hasOwn(before, key) ? before[key] : undefined;
    if (isObject(old) && isObject(value)) {
      const inner = difference(old, value);
      if (Object.keys(inner).length > 0) patch[key] = inner;
    } else if (old === undefined || canonical(old) !== canonical(value)) {
      patch[key] = value;
    }
  }
  return patch;
}

/** Returns a deep copy whose objects have no prototype. */
export function adopt(value: Json): Json {
  if (Array.isArray(value)) return value.map(adopt);
  if (!isObject(value)) return value;
  const result = bare();
  for (const [key, member] of Object.entries(value)) result[key] = adopt(member);
  return result;
}

/**
 * Returns the one spelling of a value: members sorted by UTF-16 units, no spaces.
 *
 * Source: RFC 8785; numbers and strings are already spelled by its rules in ECMAScript.
 */
export function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const members = Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonical(value[key] as Json)}`);
  return `{${members.join()}}`;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function bare(): JsonObject {
  return Object.create(null) as JsonObject;
}
