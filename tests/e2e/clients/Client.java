// Java's sockets, old and new; each command prints one line.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

public class Client {
    static String socket(String host, int port) throws Exception {
        try (Socket socket = new Socket(host, port)) {
            socket.getOutputStream().write("GET / HTTP/1.0\r\n\r\n".getBytes());
            return new BufferedReader(new InputStreamReader(socket.getInputStream())).readLine();
        }
    }

    static String datagram(String host, int port) throws Exception {
        try (DatagramSocket socket = new DatagramSocket()) {
            socket.setSoTimeout(5000);
            byte[] probe = "probe".getBytes();
            socket.send(new DatagramPacket(probe, probe.length, InetAddress.getByName(host), port));
            DatagramPacket answer = new DatagramPacket(new byte[16], 16);
            socket.receive(answer);
            return "echo " + new String(answer.getData(), 0, answer.getLength());
        }
    }

    static String nio(String host, int port) throws Exception {
        try (Selector selector = Selector.open(); SocketChannel channel = SocketChannel.open()) {
            channel.configureBlocking(false);
            channel.connect(new InetSocketAddress(host, port));
            channel.register(selector, SelectionKey.OP_CONNECT);
            if (selector.select(5000) == 0)
                return "no answer";
            return channel.finishConnect() ? "connected" : "not connected";
        }
    }

    static String http(String url) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        HttpRequest request = HttpRequest.newBuilder(URI.create(url)).build();
        HttpResponse<String> answer = client.send(request, HttpResponse.BodyHandlers.ofString());
        return answer.statusCode() + " " + answer.body().trim();
    }

    static String threads(String host, int port, int count) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(16);
        List<Callable<String>> tasks = new ArrayList<>();
        for (int i = 0; i < count; i++)
            tasks.add(() -> socket(host, port));
        int good = 0;
        for (Future<String> task : pool.invokeAll(tasks))
            if (task.get().contains("200"))
                good++;
        pool.shutdown();
        return "answers " + good;
    }

    static String listen() throws Exception {
        try (ServerSocket server = new ServerSocket(0)) {
            return "listening";
        }
    }

    static String run(String[] a) throws Exception {
        switch (a[0]) {
        case "socket": return socket(a[1], Integer.parseInt(a[2]));
        case "datagram": return datagram(a[1], Integer.parseInt(a[2]));
        case "nio": return nio(a[1], Integer.parseInt(a[2]));
        case "http": return http(a[1]);
        case "threads": return threads(a[1], Integer.parseInt(a[2]), Integer.parseInt(a[3]));
        case "listen": return listen();
        default: return "unknown command";
        }
    }

    public static void main(String[] arguments) {
        String line;
        try {
            line = run(arguments);
        } catch (Exception error) {
            line = error.toString();
        }
        System.out.println(arguments[0] + ": " + line);
    }
}
