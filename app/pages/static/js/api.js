// The one way from the dashboard to the API. Who calls is told by the cookie of the login, which browsers add.

export class Refused extends Error {
  constructor(status, { code = "", message = "" } = {}) {
    super(message || `The API answered ${status} without saying why.`);
    this.status = status;
    this.code = code;
  }
}

function headers(body) {
  const given = { Accept: "application/json" };
  if (body !== undefined) given["Content-Type"] = "application/json";
  return given;
}

// The answer's JSON. Throws Refused, whose message is the API's own sentence.
export async function call(method, path, body) {
  let answer;
  try {
    answer = await fetch(path, { method, headers: headers(body), body: body && JSON.stringify(body) });
  } catch {
    throw new Refused(0, { message: "The API does not answer. Look whether it runs, and try again." });
  }
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(answer.status, content.error);
  return content;
}

export function streamAddress(path, wishes) {
  const address = new URL(path, location.href);
  address.protocol = address.protocol.replace("http", "ws");
  for (const [name, value] of Object.entries(wishes)) address.searchParams.set(name, value);
  return address;
}
