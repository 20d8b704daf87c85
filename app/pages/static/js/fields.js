// Form fields as the body of a call: a field's name is the path of its option.

function value(field) {
  switch (field.dataset.of) {
    case "number":
      return field.value === "" ? undefined : Number(field.value);
    case "boolean":
      return field.checked || undefined;
    case "text":
      return field.value.trim() === "" ? undefined : field.value.trim();
    case "lines": {
      const lines = field.value.split("\n").map((line) => line.trim()).filter(Boolean);
      return lines.length ? lines : undefined;
    }
    default:
      return undefined;
  }
}

function put(body, path, content) {
  const names = path.split(".");
  const last = names.pop();
  let part = body;
  for (const name of names) part = part[name] ??= {};
  part[last] = content;
}

// Empty fields are left out, so that the API's defaults hold.
export function bodyOf(form) {
  const body = {};
  for (const field of form.elements) {
    const content = field.name ? value(field) : undefined;
    if (content !== undefined) put(body, field.name, content);
  }
  return body;
}
