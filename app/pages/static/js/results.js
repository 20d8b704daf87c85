// Follows a job to its end and shows what it yielded, as the job's own page has it.

import { call } from "./api.js";

const WAIT_SECONDS = 20;

export async function ended(jobId, onNews = () => {}) {
  for (;;) {
    const job = await call("GET", `/api/jobs/${jobId}?wait=${WAIT_SECONDS}`);
    if (["succeeded", "failed", "cancelled"].includes(job.state)) return job;
    onNews(job);
  }
}

// `parts`: what of the result, if not all of it.
export async function showResult(jobId, target, parts = "#result > *") {
  await htmx.ajax("GET", `/jobs/${jobId}`, { target, select: parts, swap: "innerHTML ignoreTitle:true" });
  const line = document.createElement("p");
  const link = document.createElement("a");
  link.href = `/jobs/${jobId}`;
  link.textContent = "All about this capture";
  line.append(link);
  target.append(line);
}
