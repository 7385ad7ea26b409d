// Node's net, dgram, http, dns and child_process; each command prints one line.
'use strict';
const {execFile} = require('child_process');
const dgram = require('dgram');
const dns = require('dns');
const http = require('http');
const https = require('https');
const net = require('net');
const os = require('os');

const [command, ...rest] = process.argv.slice(2);

function done(line) {
	console.log(`${command}: ${line}`);
	process.exit(0);
}
const failed = (error) => done(`${error.code} ${error.message}`);

function get(url) {
	return new Promise((resolve, reject) => {
		const library = url.startsWith('https') ? https : http;
		library.get(url, (answer) => {
			let body = '';
			answer.on('data', (part) => { body += part; });
			answer.on('end', () => resolve(`${answer.statusCode} ${body.trim()}`));
		}).on('error', reject);
	});
}

const commands = {
	connect(host, port) {
		net.connect({host, port}, () => done('connected')).on('error', failed);
	},
	get(url) {
		get(url).then(done, failed);
	},
	many(url, count) {
		Promise.all(Array.from({length: Number(count)}, () => get(url)))
			.then((answers) => done(`answers ${answers.length}`), failed);
	},
	listen() {
		net.createServer().on('error', failed).listen(0, () => done('listening'));
	},
	datagram(host, port) {
		const socket = dgram.createSocket(net.isIPv6(host) ? 'udp6' : 'udp4');
		socket.on('error', failed).on('message', (message) => done(`echo ${message}`));
		socket.send('probe', port, host, (error) => { if (error) failed(error); });
	},
	lookup(name) {
		dns.lookup(name, {all: true}, (error, found) =>
			error ? failed(error) : done(found.map((row) => row.address).join(' ')));
	},
	resolve(name) {
		dns.resolve4(name, (error, found) => error ? failed(error) : done(found.join(' ')));
	},
	interfaces() {
		done(Object.keys(os.networkInterfaces()).join(' '));
	},
	child() {
		execFile('/bin/sh', ['-c', 'cat; echo from a child'], (error, out) =>
			error ? failed(error) : done(out.trim())).stdin.end('and ');
	},
};
commands[command](...rest);
