/** The access key that a person typed once into this screen. */

const NAME = "kentongan.access-key";

/** Storage can be switched off by a policy of the browser; the key then lasts until a reload. */
let unstored: string | undefined;

export function accessKey(): string | undefined {
  try {
    return localStorage.getItem(NAME) ?? unstored;
  } catch {
    return unstored;
  }
}

export function keepAccessKey(key: string): void {
  unstored = key;
  try {
    localStorage.setItem(NAME, key);
  } catch {
    // Kept for this page only.
  }
}

export function forgetAccessKey(): void {
  unstored = undefined;
  try {
    localStorage.removeItem(NAME);
  } catch {
    // There was nowhere to keep it.
  }
}

export function authorization(): Record<string, string> {
  const key = accessKey();
  return key === undefined ? {} : { Authorization: `Bearer ${key}` };
}
