// SPDX-License-Identifier: Apache-2.0
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.NetworkInterface;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Threads with Socket and DatagramSocket, a Selector, HttpClient. Java's sockets are IPv6 with mapped addresses, or
 * IPv4 with -Djava.net.preferIPv4Stack=true, when the addresses of IPv6 are left out. Prints "NAME RESULT" for each try.
 */
public final class Client {
	static final String PUBLIC4 = "93.184.215.14";
	static final String PUBLIC6 = "2606:2800:21f:cb07:6820:80da:af6b:8b2c";
	static final String PRIVATE4 = "10.9.9.9";
	static final String PRIVATE6 = "fd00:9::9";
	static final String METADATA = "169.254.169.254";
	static final String GOOGLE4 = "142.250.0.100";
	static final String GOOGLE6 = "2607:f8b0:4004:c1b::64";
	static final int ANY_PORT = 7007;
	static final int PATIENCE = 15000;
	static final boolean FOUR = Boolean.getBoolean("java.net.preferIPv4Stack");

	interface Try {
		String run() throws Exception;
	}

	static String result(Try what) {
		try {
			return what.run();
		} catch (Exception error) {
			for (Throwable cause = error; cause != null; cause = cause.getCause())
				if (String.valueOf(cause.getMessage()).contains("Permission denied"))
					return "EACCES";
			return error.toString().replace(' ', '_');
		}
	}

	static void say(String name, String value) {
		System.out.println(name + " " + value);
	}

	static String tcp(String host, int port) throws IOException {
		try (Socket socket = new Socket()) {
			socket.setTcpNoDelay(true);
			socket.connect(new InetSocketAddress(host, port), PATIENCE);
			socket.setSoTimeout(PATIENCE);
			return socket.getInputStream().read() >= 0 ? "ok" : "nothing";
		}
	}

	static String udp(String host) throws IOException {
		try (DatagramSocket socket = new DatagramSocket()) {
			socket.setSoTimeout(PATIENCE);
			socket.send(new DatagramPacket("ping".getBytes(), 4, InetAddress.getByName(host), ANY_PORT));
			DatagramPacket back = new DatagramPacket(new byte[64], 64);
			socket.receive(back);
			return back.getLength() == 4 ? "ok" : "wrong";
		}
	}

	static String selected(String host) throws IOException {
		try (SocketChannel channel = SocketChannel.open(); Selector selector = Selector.open()) {
			channel.configureBlocking(false);
			channel.connect(new InetSocketAddress(host, ANY_PORT));
			channel.register(selector, SelectionKey.OP_CONNECT);
			if (selector.select(PATIENCE) == 0)
				return "nothing";
			channel.finishConnect();
			channel.keyFor(selector).interestOps(SelectionKey.OP_READ);
			selector.selectedKeys().clear();
			if (selector.select(PATIENCE) == 0)
				return "nothing";
			return channel.read(ByteBuffer.allocate(64)) > 0 ? "ok" : "nothing";
		}
	}

	static String get(HttpClient client, String host) throws Exception {
		HttpRequest request = HttpRequest.newBuilder(URI.create("http://" + host + "/"))
			.timeout(Duration.ofMillis(PATIENCE)).build();
		int status = client.send(request, HttpResponse.BodyHandlers.ofString()).statusCode();
		return status == 200 ? "ok" : String.valueOf(status);
	}

	static String many(int threads, String... hosts) throws Exception {
		ExecutorService pool = Executors.newFixedThreadPool(threads);
		List<Future<String>> all = new ArrayList<>();
		for (int i = 0; i < 50; i++) {
			String host = hosts[i % hosts.length];
			all.add(pool.submit(() -> result(() -> tcp(host, ANY_PORT))));
		}
		Map<String, Integer> counts = new TreeMap<>();
		for (Future<String> one : all)
			counts.merge(one.get(), 1, Integer::sum);
		pool.shutdown();
		return counts.toString().replaceAll("[{},]", "");
	}

	static void six() throws Exception {
		say("tcp.public6", result(() -> tcp(PUBLIC6, ANY_PORT)));
		say("tcp.private6", result(() -> tcp(PRIVATE6, ANY_PORT)));
		say("tcp.google6", result(() -> tcp(GOOGLE6, ANY_PORT)));
		say("udp.public6", result(() -> udp(PUBLIC6)));
		say("udp.private6", result(() -> udp(PRIVATE6)));
		say("mix.allowed", many(16, PUBLIC4, PUBLIC6));
		say("mix.denied", many(16, PRIVATE4, PRIVATE6, METADATA, GOOGLE4, GOOGLE6));
		HttpClient client = HttpClient.newBuilder().connectTimeout(Duration.ofMillis(PATIENCE)).build();
		say("http.public", result(() -> get(client, "www.example.com")));
		say("http.private", result(() -> get(client, PRIVATE4)));
		say("name.aaaa", Arrays.stream(InetAddress.getAllByName("www.example.com"))
			.filter(a -> a instanceof Inet6Address).map(InetAddress::getHostAddress).findFirst().orElse("none"));
	}

	public static void main(String[] arguments) throws Exception {
		String public4 = FOUR ? "public4" : "mapped.public";
		String private4 = FOUR ? "private4" : "mapped.private";
		say("tcp." + public4, result(() -> tcp(PUBLIC4, ANY_PORT)));
		say("tcp." + private4, result(() -> tcp(PRIVATE4, ANY_PORT)));
		say("tcp.metadata", result(() -> tcp(METADATA, ANY_PORT)));
		say("tcp.google4", result(() -> tcp(GOOGLE4, ANY_PORT)));
		say("tcp.smtp", result(() -> tcp(PUBLIC4, 25)));
		say("udp." + public4, result(() -> udp(PUBLIC4)));
		say("udp." + private4, result(() -> udp(PRIVATE4)));
		say("select.allowed", result(() -> selected(PUBLIC4)));
		say("select.denied", result(() -> selected(PRIVATE4)));
		say("name.a", Arrays.stream(InetAddress.getAllByName("www.example.com"))
			.map(InetAddress::getHostAddress).filter(a -> !a.contains(":")).findFirst().orElse("none"));
		if (!FOUR)
			six();
		say("interfaces", NetworkInterface.getNetworkInterfaces().hasMoreElements() ? "ok" : "none");
		say("listen", result(() -> {
			try (ServerSocket server = new ServerSocket(0)) {
				return "ok";
			}
		}));
		System.exit(0);
	}
}
