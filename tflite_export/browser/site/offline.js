const PATIENCE_MS = 10_000;

/**
 * Have the files of this page kept by its service worker, from the next read on.
 * @returns {Promise<string>} why not; empty if they are
 */
export async function keepFiles() {
  const workers = navigator.serviceWorker;
  if (!workers) return "pages of https or localhost alone are kept for use without a network";
  try {
    const { active } = await workers.register("service_worker.js", { updateViaCache: "none" });
    if (active) return ""; // they were kept before
    const late = new Promise((_, refuse) => setTimeout(refuse, PATIENCE_MS, new Error("it is late")));
    await Promise.race([inControl(workers), late]);
  } catch (error) {
    return `not kept for use without a network: ${error.message}`;
  }
  return "";
}

async function inControl(workers) {
  if (workers.controller) return;
  await new Promise((resolve) => (workers.oncontrollerchange = resolve));
}
