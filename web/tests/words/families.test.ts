import { describe, expect, test } from "vitest";
import {
  appName,
  compareApps,
  FAMILIES,
  humanised,
  kindEntry,
  kindLabel,
  stateLabel,
} from "../../src/words/families.ts";

describe("the server's table of kinds and states", () => {
  test("has the words of DOMAIN section 3", () => {
    const report = kindEntry("laksa", "report", []);
    const words = [
      "received",
      "referred",
      "assigned",
      "in_progress",
      "on_hold",
      "reopened",
      "resolved",
    ];
    expect(words.map((state) => stateLabel(report, state, "id"))).toEqual([
      "Menunggu",
      "Koordinasi",
      "Disposisi",
      "Proses",
      "Tunda",
      "Dibuka kembali",
      "Selesai",
    ]);
  });

  test("has a word in both languages for every kind and state", () => {
    const kinds = Object.values(FAMILIES).flatMap((family) => Object.values(family));
    const labels = kinds.flatMap((kind) => [
      kind.label,
      ...Object.values(kind.states).map((s) => s.label),
    ]);
    expect(labels.length).toBeGreaterThan(40);
    expect(labels.filter(({ id, en }) => id === "" || en === "")).toEqual([]);
  });

  test("has a state that ends each kind well", () => {
    const kinds = Object.values(FAMILIES).flatMap((family) => Object.values(family));
    const without = kinds.filter(
      (kind) => !Object.values(kind.states).some((s) => s.success && !s.open),
    );
    expect(without).toEqual([]);
  });
});

describe("the kind of an app", () => {
  test("is of the app's own family, though another has a kind of that name", () => {
    expect(kindLabel("perizinan", "application", "id")).toBe("permohonan");
    expect(kindLabel("siapkerja", "application", "id")).toBe("lamaran");
  });

  test("is found by its states where the app is not of the seed", () => {
    expect(kindEntry("izin-desa", "application", ["payment_due", "issued"])?.label.en).toBe(
      "applications",
    );
    expect(kindEntry("loker", "application", ["shortlisted"])?.label.id).toBe("lamaran");
    expect(kindLabel("absensi", "transaction", "id")).toBe("transaksi");
  });

  test("that nobody knows is shown by its own name", () => {
    expect(kindLabel("laksa", "weird_kind", "id")).toBe("Weird kind");
    expect(stateLabel(kindEntry("laksa", "report", []), "lost_in_space", "id")).toBe(
      "Lost in space",
    );
  });

  test.each(["__proto__", "constructor", "toString"])("may be named %s", (name) => {
    expect(kindEntry(name, name, [name])).toBeUndefined();
    expect(stateLabel(kindEntry("laksa", "report", []), name, "id")).toBe(humanised(name));
    expect(appName(name)).toBe(humanised(name));
  });
});

test.each([
  ["jalan-berlubang", "Jalan berlubang"],
  ["air_bersih", "Air bersih"],
  ["Animal-Abuse", "Animal Abuse"],
  ["ak1", "AK-1"],
  ["ktp-el", "KTP el"],
  ["siup", "SIUP"],
  ["praktik-nakes", "Praktik nakes"],
  ["---", "---"],
  ["a\u202eb", "A⟨U+202E⟩b"],
])("the service %s is written %s", (slug, text) => {
  expect(humanised(slug)).toBe(text);
});

test("the seed's apps come first, in their order", () => {
  expect(["absensi", "siapkerja", "zzz", "laksa", "perizinan"].sort(compareApps)).toEqual([
    "laksa",
    "perizinan",
    "siapkerja",
    "absensi",
    "zzz",
  ]);
});
