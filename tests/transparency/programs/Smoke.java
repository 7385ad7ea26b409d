// SPDX-License-Identifier: Apache-2.0
// Java's sockets, channels and HTTP on the loopback: prints one line per thing tried, in a fixed order.
import com.sun.net.httpserver.HttpServer;
import java.io.InputStream;
import java.net.*;
import java.net.http.*;
import java.nio.ByteBuffer;
import java.nio.channels.*;
import java.nio.file.*;
import java.util.*;
import java.util.concurrent.*;

class Smoke {
    static final InetAddress HOST = InetAddress.getLoopbackAddress();

    static void show(String name, Callable<Object> call) {
        try {
            System.out.println(name + " " + call.call());
        } catch (Exception e) {
            System.out.println(name + " " + e.getClass().getSimpleName() + " " + e.getMessage());
        }
    }

    static Object stream() throws Exception {
        try (ServerSocket server = new ServerSocket(0, 5, HOST)) {
            Thread echo = new Thread(() -> {
                try (Socket s = server.accept()) {
                    s.getInputStream().transferTo(s.getOutputStream());
                } catch (Exception e) {
                    System.out.println(e);
                }
            });
            echo.start();
            try (Socket client = new Socket(HOST, server.getLocalPort())) {
                client.setTcpNoDelay(true);
                client.setKeepAlive(true);
                client.setSoLinger(true, 1);
                client.setSoTimeout(5000);
                Thread writer = new Thread(() -> {
                    try {
                        client.getOutputStream().write(new byte[300000]);
                        client.shutdownOutput();
                    } catch (Exception e) {
                        System.out.println(e);
                    }
                });
                writer.start();
                return client.getInputStream().readAllBytes().length;
            }
        }
    }

    static Object datagrams(InetAddress host) throws Exception {
        try (DatagramSocket a = new DatagramSocket(0, host); DatagramSocket b = new DatagramSocket(0, host)) {
            b.send(new DatagramPacket("hello".getBytes(), 5, a.getLocalSocketAddress()));
            DatagramPacket in = new DatagramPacket(new byte[100], 100);
            a.setSoTimeout(5000);
            a.receive(in);
            String first = new String(in.getData(), 0, in.getLength());
            a.connect(b.getLocalSocketAddress());
            a.send(new DatagramPacket("back".getBytes(), 4));
            b.setSoTimeout(5000);
            b.receive(in);
            String second = new String(in.getData(), 0, in.getLength());
            b.setSoTimeout(100);
            try {
                b.receive(in);
            } catch (SocketTimeoutException e) {
                return first + " " + second + " time-out, from " + in.getAddress();
            }
            return "received nothing that was sent";
        }
    }

    static Object closedWhileReading() throws Exception {
        DatagramSocket a = new DatagramSocket(0, HOST);
        new Timer(true).schedule(new TimerTask() {
            public void run() {
                a.close();
            }
        }, 100);
        a.receive(new DatagramPacket(new byte[10], 10));
        return "?";
    }

    static Object portUnreachable() throws Exception {
        try (DatagramSocket a = new DatagramSocket()) {
            a.connect(HOST, 9);
            a.setSoTimeout(5000);
            a.send(new DatagramPacket(new byte[1], 1));
            a.receive(new DatagramPacket(new byte[10], 10));
        }
        return "?";
    }

    static Object channels() throws Exception {
        try (Selector selector = Selector.open(); DatagramChannel a = DatagramChannel.open(StandardProtocolFamily.INET);
             DatagramChannel b = DatagramChannel.open(StandardProtocolFamily.INET); ServerSocketChannel server = ServerSocketChannel.open();
             SocketChannel client = SocketChannel.open()) {
            a.bind(new InetSocketAddress(HOST, 0)).configureBlocking(false);
            a.register(selector, SelectionKey.OP_READ);
            server.bind(new InetSocketAddress(HOST, 0)).configureBlocking(false);
            server.register(selector, SelectionKey.OP_ACCEPT);
            client.configureBlocking(false);
            boolean at_once = client.connect(server.getLocalAddress());
            client.register(selector, SelectionKey.OP_CONNECT);
            b.connect(a.getLocalAddress());
            b.write(ByteBuffer.wrap("channel".getBytes()));
            Set<String> seen = new TreeSet<>();
            while (seen.size() < 3) {
                if (selector.select(5000) == 0)
                    return "nothing is ready; seen " + seen;
                for (SelectionKey key : selector.selectedKeys()) {
                    if (key.isReadable()) {
                        ByteBuffer in = ByteBuffer.allocate(100);
                        a.receive(in);
                        seen.add("read " + in.position());
                        key.cancel();
                    } else if (key.isAcceptable()) {
                        server.accept().close();
                        seen.add("accepted");
                        key.cancel();
                    } else if (key.isConnectable()) {
                        seen.add("connected " + client.finishConnect());
                        key.cancel();
                    }
                }
                selector.selectedKeys().clear();
            }
            return seen;
        }
    }

    static Object unix() throws Exception {
        Path path = Path.of(System.getenv("TMPDIR"), "java.sock");
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(path));
            try (SocketChannel client = SocketChannel.open(UnixDomainSocketAddress.of(path)); SocketChannel peer = server.accept()) {
                client.write(ByteBuffer.wrap("unix".getBytes()));
                ByteBuffer in = ByteBuffer.allocate(10);
                peer.read(in);
                return in.position() + " " + Files.exists(path);
            }
        }
    }

    static Object web() throws Exception {
        HttpServer server = HttpServer.create(new InetSocketAddress(HOST, 0), 5);
        server.createContext("/", exchange -> {
            byte[] body = exchange.getRequestBody().readAllBytes();
            exchange.sendResponseHeaders(200, body.length == 0 ? -1 : body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
        server.start();
        HttpClient client = HttpClient.newBuilder().connectTimeout(java.time.Duration.ofSeconds(5)).build();
        List<Object> answers = new ArrayList<>();
        for (int i = 1; i < 4; i++) {
            HttpRequest request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + server.getAddress().getPort() + "/" + i))
                .POST(HttpRequest.BodyPublishers.ofString("z".repeat(i * 10000))).build();
            HttpResponse<String> answer = client.send(request, HttpResponse.BodyHandlers.ofString());
            answers.add(answer.statusCode() + ":" + answer.body().length());
        }
        server.stop(0);
        return answers;
    }

    static Object multicast() throws Exception {
        NetworkInterface lo = NetworkInterface.getByName("lo");
        try (MulticastSocket socket = new MulticastSocket(0)) {
            socket.setNetworkInterface(lo);
            socket.setTimeToLive(1);
            socket.joinGroup(new InetSocketAddress("239.1.2.3", 0), lo);
            socket.send(new DatagramPacket("m".getBytes(), 1, InetAddress.getByName("239.1.2.3"), socket.getLocalPort()));
            socket.setSoTimeout(5000);
            DatagramPacket in = new DatagramPacket(new byte[10], 10);
            socket.receive(in);
            return new String(in.getData(), 0, in.getLength());
        }
    }

    public static void main(String[] arguments) throws Exception {
        show("tcp", Smoke::stream);
        show("udp", () -> datagrams(HOST));
        show("udp6", () -> datagrams(InetAddress.getByName("::1")));
        show("closed while reading", Smoke::closedWhileReading);
        show("port unreachable", Smoke::portUnreachable);
        show("channels", Smoke::channels);
        show("unix", Smoke::unix);
        show("http", Smoke::web);
        show("multicast", Smoke::multicast);
        show("refused", () -> new Socket(HOST, 9));
        show("unreachable", () -> new Socket("192.0.2.1", 80));
        show("taken", () -> { try (ServerSocket s = new ServerSocket(0, 5, HOST)) { return new ServerSocket(s.getLocalPort(), 5, HOST); } });
        show("interfaces", () -> Collections.list(NetworkInterface.getNetworkInterfaces()).size());
        System.exit(0);
    }
}
