/** The server's time, which samples and alarms are told in; this machine's clock may differ. Seconds since 1970. */

let ahead = 0;

/** @param {number} serverTime as an answer has just told it */
export function setServerTime(serverTime) {
	ahead = serverTime - Date.now() / 1000;
}

/** @returns {number} */
export function now() {
	return Date.now() / 1000 + ahead;
}
