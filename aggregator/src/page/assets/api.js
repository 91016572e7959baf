// Calls to the JSON API. Every failure is one ApiError that says what failed;
// status 401 is told apart, because it is answered by the token form.

const DEADLINE_MS = 20_000;

/** What a call failed with: `status` 0 means that no answer came. */
export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** True for the end of a call that the page itself gave up. */
export const isAborted = (error) => error?.name === 'AbortError';

/** Paths of one shop's resources, with absent parameters left out. */
export function shopPath(shop, resource, parameters) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== null && value !== undefined && value !== '') query.set(name, value);
  }
  return `/v1/shops/${encodeURIComponent(shop)}/${resource}?${query}`;
}

/** The JSON at this path. */
export async function getJson(path, signal) {
  const deadline = AbortSignal.timeout(DEADLINE_MS);
  const answer = await request(path, { signal: either(signal, deadline), headers: { accept: 'application/json' } });
  if (answer.ok) return answer.json();
  throw new ApiError(answer.status, await problem(answer));
}

/** Trades the token for a cookie; false means a wrong token. */
export async function login(token) {
  const answer = await request('/login', { method: 'POST', body: new URLSearchParams({ token }) });
  if (answer.ok) return true;
  if (answer.status === 401) return false;
  throw new ApiError(answer.status, await problem(answer));
}

async function request(path, options) {
  try {
    return await fetch(path, { credentials: 'same-origin', cache: 'no-store', ...options });
  } catch (error) {
    if (isAborted(error)) throw error;
    throw new ApiError(0, error?.name === 'TimeoutError' ? 'The server took too long to answer.' : 'The server does not answer.');
  }
}

function either(signal, deadline) {
  if (!signal) return deadline;
  // Browsers without AbortSignal.any lose the deadline, not the call.
  return AbortSignal.any ? AbortSignal.any([signal, deadline]) : signal;
}

async function problem(answer) {
  const fallback = `The server answered ${answer.status}.`;
  try {
    const body = await answer.json();
    return body.detail || body.title || fallback;
  } catch {
    return fallback;
  }
}
