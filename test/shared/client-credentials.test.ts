import { expect, test } from "vitest";
import { clientCredentialsOf } from "../../shared/intake/client-credentials.ts";

const FORM = new URLSearchParams({ client_id: "form-id", client_secret: "form-secret" });
const basic = (text: string) => `Basic ${Buffer.from(text).toString("base64")}`;

test("a client is named by its form, or by the basic scheme, encoded as RFC 6749 has it or not at all", () => {
  expect(clientCredentialsOf(null, FORM)).toEqual({ id: "form-id", secrets: ["form-secret"] });
  expect(clientCredentialsOf("Bearer x", FORM)).toEqual({ id: "form-id", secrets: ["form-secret"] });
  expect(clientCredentialsOf(basic("id:secret"), FORM)).toEqual({ id: "id", secrets: ["secret"] });
  expect(clientCredentialsOf(basic("i%20d:a%2Bb"), FORM)).toEqual({ id: "i d", secrets: ["a+b", "a%2Bb"] });
  expect(clientCredentialsOf(basic("id:a+b:c%"), FORM)).toEqual({ id: "id", secrets: ["a+b:c%"] });
  expect(clientCredentialsOf(basic("id:a+b:c"), FORM)).toEqual({ id: "id", secrets: ["a b:c", "a+b:c"] });
  expect(clientCredentialsOf(basic("id:ü"), FORM)).toEqual({ id: "id", secrets: ["ü"] });
});

test("nothing at all is empty, and what is no base64 is no client of the basic scheme", () => {
  const nobody = { id: "", secrets: [""] };
  expect(clientCredentialsOf(undefined, new URLSearchParams())).toEqual(nobody);
  expect(clientCredentialsOf("Basic A", new URLSearchParams())).toEqual(nobody);
  expect(clientCredentialsOf(basic("only-id"), FORM)).toEqual({ id: "only-id", secrets: [""] });
});
