/** Requests to the REST interface, by relative addresses, so that the page works under any path. */

const base = "ressources-usage/";
const patienceMs = 20000;
const tokens = {read: "", admin: ""}; // in memory alone: they go with the page

/** An answer that is none: `status` is 0 where nobody answered. */
export class ApiError extends Error {
	/**
	 * @param {number} status
	 * @param {string} sentence
	 */
	constructor(status, sentence) {
		super(sentence);
		this.status = status;
	}
}

/**
 * @param {"read"|"admin"} right
 * @param {string} token empty to forget it
 */
export function setToken(right, token) {
	tokens[right] = token;
}

/**
 * @param {"read"|"admin"} right
 * @returns {boolean}
 */
export function hasToken(right) {
	return tokens[right] !== "";
}

async function request(method, path, token, {signal, isFine = () => false, body: sent} = {}) {
	if (!/^[\x21-\x7e]*$/.test(token)) {
		throw new ApiError(401, "the token has a character that no token has");
	}
	const patience = AbortSignal.timeout(patienceMs);
	let response, body;
	try {
		response = await fetch(base + path, {
			method,
			headers: {
				...(token === "" ? {} : {"X-Vigie-Token": token}),
				...(sent ? {"Content-Type": "application/json"} : {}),
			},
			body: sent && JSON.stringify(sent),
			cache: "no-store",
			signal: signal ? AbortSignal.any([signal, patience]) : patience,
		});
		body = await response.json();
	} catch (error) {
		if (signal?.aborted) {
			throw error;
		}
		throw new ApiError(response && !response.ok ? response.status : 0, "it does not answer");
	}
	if (!response.ok && !isFine(body)) {
		throw new ApiError(response.status, body?.error ?? `it answers ${response.status}`);
	}
	return body;
}

/**
 * @param {string} path like "get-all"
 * @param {Array<[string, string]>} [query] a name may be there several times
 * @param {AbortSignal} [signal]
 * @returns {Promise<*>} the answer
 * @throws {ApiError}
 */
export function get(path, query = [], signal = undefined) {
	const text = new URLSearchParams(query).toString();
	// The health of a server whose store fails is an answer too; what a front says in its place is none.
	return request("GET", text === "" ? path : `${path}?${text}`, tokens.read || tokens.admin, {
		signal,
		isFine: path === "health" ? body => body?.store !== undefined : undefined,
	});
}

/**
 * @param {string} path
 * @param {Array<[string, string]>} query
 * @returns {Promise<*>}
 * @throws {ApiError}
 */
export function post(path, query) {
	return request("POST", query.length > 0 ? `${path}?${new URLSearchParams(query)}` : path, tokens.admin);
}

/**
 * @param {string} path
 * @param {Object} body
 * @returns {Promise<*>}
 * @throws {ApiError}
 */
export function put(path, body) {
	return request("PUT", path, tokens.admin, {body});
}

/**
 * @param {string} path
 * @returns {Promise<*>}
 * @throws {ApiError}
 */
export function remove(path) {
	return request("DELETE", path, tokens.admin);
}
