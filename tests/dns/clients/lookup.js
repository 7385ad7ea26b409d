// SPDX-License-Identifier: Apache-2.0
// c-ares, as Node has it. Prints "NAME ADDRESS" or "NAME error" for each NAME.
const dns = require('dns').promises;
(async () => {
	for (const name of process.argv.slice(2)) {
		const found = await dns.resolve4(name).catch(() => ['error']);
		console.log(name, found[0]);
	}
})();
