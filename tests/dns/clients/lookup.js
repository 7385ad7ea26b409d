// SPDX-License-Identifier: Apache-2.0
// c-ares, as Node has it. Prints "NAME ADDRESS" or "NAME error" for each NAME, and "slow" behind it after 4 s.
const dns = require('dns').promises;
(async () => {
	for (const name of process.argv.slice(2)) {
		const begun = Date.now();
		const found = await dns.resolve4(name).catch(() => ['error']);
		console.log(name, found[0] + (Date.now() - begun > 4000 ? ' slow' : ''));
	}
})();
