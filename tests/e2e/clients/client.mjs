// SPDX-License-Identifier: Apache-2.0
// libuv's loop, its thread pool, workers, children. Prints "NAME RESULT" for each try.
import net from 'node:net';
import dgram from 'node:dgram';
import dns from 'node:dns';
import http from 'node:http';
import os from 'node:os';
import { spawn, fork } from 'node:child_process';
import { Worker, isMainThread, parentPort } from 'node:worker_threads';
import { fileURLToPath } from 'node:url';

const PUBLIC4 = '93.184.215.14', PUBLIC6 = '2606:2800:21f:cb07:6820:80da:af6b:8b2c';
const PRIVATE4 = '10.9.9.9', PRIVATE6 = 'fd00:9::9', METADATA = '169.254.169.254';
const GOOGLE4 = '142.250.0.100', GOOGLE6 = '2607:f8b0:4004:c1b::64';
const ANY_PORT = 7007, PATIENCE = 15000;
const SELF = fileURLToPath(import.meta.url);
const HOSTS = { public4: PUBLIC4, public6: PUBLIC6, 'mapped.public': '::ffff:' + PUBLIC4, private4: PRIVATE4,
	private6: PRIVATE6, 'mapped.private': '::ffff:' + PRIVATE4, metadata: METADATA, google4: GOOGLE4, google6: GOOGLE6 };

const nameOf = (error) => error.code ?? String(error);

function within(start) {
	return new Promise((resolve) => {
		const timer = setTimeout(() => resolve('nothing'), PATIENCE);
		start((value) => { clearTimeout(timer); resolve(value); });
	});
}

function tcp(host, port = ANY_PORT) {
	return within((done) => {
		const socket = net.connect({ host, port });
		socket.on('data', () => { done('ok'); socket.destroy(); });
		socket.on('error', (error) => done(nameOf(error)));
	});
}

function udp(host) {
	return within((done) => {
		const socket = dgram.createSocket(host.includes(':') ? 'udp6' : 'udp4');
		const end = (value) => { done(value); socket.close(); };
		socket.on('message', () => end('ok'));
		socket.on('error', (error) => end(nameOf(error)));
		socket.send('ping', ANY_PORT, host, (error) => { if (error) end(nameOf(error)); });
	});
}

function get(host) {
	return within((done) => {
		http.get({ host, port: 80, path: '/', agent: false }, (response) => {
			response.resume();
			response.on('end', () => done(response.statusCode === 200 ? 'ok' : String(response.statusCode)));
		}).on('error', (error) => done(nameOf(error)));
	});
}

function counted(values) {
	const counts = new Map();
	for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
	return [...counts].map(([value, n]) => `${value}=${n}`).sort().join(' ');
}

function child() {
	return within((done) => {
		const cat = spawn('cat', [], { stdio: ['pipe', 'pipe', 'inherit'] });
		let text = '';
		cat.stdout.on('data', (data) => { text += data; });
		cat.on('close', (code) => done(code === 0 && text === 'through cat' ? 'ok' : `${code} ${text}`));
		cat.on('error', (error) => done(nameOf(error)));
		cat.stdin.end('through cat');
	});
}

// The channel between a parent and its fork is a pair of Unix sockets.
function forked() {
	return within((done) => {
		const other = fork(SELF, ['child']);
		other.on('message', (message) => { done(message); other.disconnect(); });
		other.on('error', (error) => done(nameOf(error)));
	});
}

function worker() {
	return within((done) => {
		const other = new Worker(SELF);
		other.on('message', (message) => done(message));
		other.on('error', (error) => done(nameOf(error)));
	});
}

function listen() {
	return within((done) => {
		const server = http.createServer();
		server.on('error', (error) => done(nameOf(error)));
		server.listen(0, () => { done('ok'); server.close(); });
	});
}

const both = async () => `${await tcp(PUBLIC4)},${await tcp(PRIVATE4)}`;

async function main() {
	const say = (name, value) => console.log(name, value);
	for (const [name, host] of Object.entries(HOSTS)) {
		say('tcp.' + name, await tcp(host));
		say('udp.' + name, await udp(host));
	}
	say('tcp.smtp', await tcp(PUBLIC4, 25));
	const hosts = [PRIVATE4, PRIVATE6, METADATA, GOOGLE4, GOOGLE6];
	const allowed = Array.from({ length: 50 }, (_, i) => tcp(i % 2 ? PUBLIC4 : PUBLIC6));
	const denied = Array.from({ length: 50 }, (_, i) => tcp(hosts[i % 5]));
	say('mix.allowed', counted(await Promise.all(allowed)));
	say('mix.denied', counted(await Promise.all(denied)));
	say('http.public', await get('www.example.com'));
	say('http.private', await get(PRIVATE4));
	say('name.a', (await dns.promises.resolve4('www.example.com').catch((e) => [nameOf(e)]))[0]);
	say('name.aaaa', (await dns.promises.resolve6('www.example.com').catch((e) => [nameOf(e)]))[0]);
	say('lookup', (await dns.promises.lookup('www.example.com', 4).catch((e) => ({ address: nameOf(e) }))).address);
	say('child', await child());
	say('fork', await forked());
	say('worker', await worker());
	say('interfaces', Object.keys(os.networkInterfaces()).length > 0 ? 'ok' : 'none');
	say('listen', await listen());
}

if (!isMainThread) parentPort.postMessage(await both());
else if (process.argv[2] === 'child') process.send(await both());
else await main();
