// SPDX-License-Identifier: Apache-2.0
// Node's net, http, dgram, dns and cluster on the loopback: prints one line per thing tried, in a fixed order.
'use strict';
const net = require('net'), http = require('http'), dgram = require('dgram'), dns = require('dns');
const fs = require('fs'), os = require('os'), path = require('path');
const { once } = require('events');
const { fork } = require('child_process');

if (process.argv[2] === 'child') {
  process.on('message', (message, handle) => {
    if (message === 'server') handle.on('connection', (c) => c.end('from the child'));
    if (message === 'socket') handle.end('over to the child');
    process.send('got ' + message);
  });
  return;
}

async function show(name, call) {
  try { console.log(name, JSON.stringify(await call())); } catch (e) { console.log(name, e.code || e.message); }
}

async function text(stream) {
  let all = '';
  for await (const part of stream) all += part;
  return all;
}

async function tcp(listen, connect) {
  const server = net.createServer((c) => { c.setNoDelay(true); c.setKeepAlive(true, 1000); c.pipe(c); });
  server.listen(listen);
  await once(server, 'listening');
  const client = net.connect(connect(server.address()));
  await once(client, 'connect');
  const about = [client.remoteFamily, client.remoteAddress];
  client.end('x'.repeat(200000));
  const back = await text(client);
  server.close();
  return [back.length, about];
}

async function udp(type, host) {
  const a = dgram.createSocket(type), b = dgram.createSocket({ type, reuseAddr: true });
  a.bind(0, host);
  await once(a, 'listening');
  b.bind(0, host);
  await once(b, 'listening');
  a.setBroadcast(true); a.setTTL(10); a.setMulticastTTL(2); a.setRecvBufferSize(65536);
  a.on('message', (m, from) => a.send(Buffer.concat([m, Buffer.from('!')]), from.port, from.address));
  b.send('hello', a.address().port, host);
  const [m, from] = await once(b, 'message');
  b.connect(a.address().port, host);
  await once(b, 'connect');
  b.send('again');
  const [again] = await once(b, 'message');
  const result = [m.toString(), from.address === host, again.toString(), b.remoteAddress().address, a.getTTL && typeof a.getTTL];
  a.close(); b.close();
  return result;
}

async function multicast() {
  const a = dgram.createSocket('udp4');
  a.bind(0);
  await once(a, 'listening');
  a.setMulticastInterface('127.0.0.1');
  a.addMembership('239.1.2.3', '127.0.0.1');
  a.setMulticastLoopback(true);
  a.send('m', a.address().port, '239.1.2.3');
  const [m] = await once(a, 'message');
  a.dropMembership('239.1.2.3', '127.0.0.1');
  a.close();
  return m.toString();
}

async function web() {
  const server = http.createServer((req, res) => { req.pipe(res); });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const agent = new http.Agent({ keepAlive: true });
  const answers = [];
  for (let i = 0; i < 3; i++) {
    const req = http.request({ port: server.address().port, method: 'POST', agent });
    req.end('body ' + i);
    const [res] = await once(req, 'response');
    answers.push(res.statusCode + await text(res));
  }
  agent.destroy();
  server.close();
  return answers;
}

async function handles() {
  const child = fork(__filename, ['child']);
  const server = net.createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const port = server.address().port;
  child.send('server', server);
  const [first] = await once(child, 'message');
  server.close();
  const one = await text(net.connect(port));
  const mine = net.createServer((c) => child.send('socket', c));
  mine.listen(0, '127.0.0.1');
  await once(mine, 'listening');
  const two = await text(net.connect(mine.address().port));
  mine.close();
  child.kill();
  const [, signal] = await once(child, 'exit');
  return [first, one, two, signal];
}

async function main() {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'node'));
  await show('tcp4', () => tcp({ port: 0, host: '127.0.0.1' }, (at) => ({ port: at.port, host: at.address })));
  await show('tcp6', () => tcp({ port: 0, host: '::1' }, (at) => ({ port: at.port, host: at.address, family: 6 })));
  await show('dual', () => tcp({ port: 0 }, (at) => ({ port: at.port, host: '127.0.0.1', localAddress: '127.0.0.2' })));
  await show('path', () => tcp({ path: directory + '/s' }, (at) => ({ path: at })));
  await show('abstract', () => tcp({ path: '\0gae-node' }, (at) => ({ path: at })));
  await show('udp4', () => udp('udp4', '127.0.0.1'));
  await show('udp6', () => udp('udp6', '::1'));
  await show('multicast', multicast);
  await show('http', web);
  await show('handles', handles);
  await show('refused', () => once(net.connect(9, '127.0.0.1'), 'connect'));
  await show('unreachable', () => once(net.connect(9, '192.0.2.1'), 'connect'));
  await show('no path', () => once(net.connect(directory + '/none'), 'connect'));
  await show('taken', async () => {
    const a = net.createServer().listen(0, '127.0.0.1');
    await once(a, 'listening');
    const b = net.createServer().listen(a.address().port, '127.0.0.1');
    try { await once(b, 'listening'); } finally { a.close(); }
  });
  await show('udp taken', async () => {
    const a = dgram.createSocket('udp4').bind(0, '127.0.0.1');
    await once(a, 'listening');
    const b = dgram.createSocket('udp4').bind(a.address().port, '127.0.0.1');
    try { await once(b, 'listening'); } finally { a.close(); b.close(); }
  });
  const resolver = new dns.promises.Resolver();
  resolver.setServers(['127.0.0.1']);
  await show('dns', () => resolver.resolve4('www.lab.test'));
  await show('dns none', () => resolver.resolve4('none.lab.test'));
  await show('interfaces', () => Object.keys(os.networkInterfaces()));
  fs.rmSync(directory, { recursive: true });
}
main();
