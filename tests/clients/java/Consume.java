import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.GetResponse;
import java.util.Map;
import java.util.stream.Collectors;

/** Takes one message from each queue named and prints its headers as JSON: name -> [type, value as text]. */
public class Consume {
  private static final int ATTEMPTS = 200;

  public static void main(String[] arguments) throws Exception {
    ConnectionFactory factory = new ConnectionFactory();
    factory.setUri(arguments[0]);
    factory.setAutomaticRecoveryEnabled(false);
    try (Connection connection = factory.newConnection()) {
      Channel channel = connection.createChannel();
      for (int index = 1; index < arguments.length; index++) {
        System.out.println(shown(take(channel, arguments[index]).getProps().getHeaders()));
      }
    }
  }

  private static GetResponse take(Channel channel, String queue) throws Exception {
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      GetResponse response = channel.basicGet(queue, true);
      if (response != null) {
        return response;
      }
      Thread.sleep(100);
    }
    throw new IllegalStateException("no message came");
  }

  private static String shown(Map<String, Object> headers) {
    return headers.entrySet().stream()
        .map(each -> String.format("\"%s\":[\"%s\",\"%s\"]", each.getKey(), type(each.getValue()), text(each.getValue())))
        .collect(Collectors.joining(",", "{", "}"));
  }

  private static String type(Object value) {
    return value.getClass().getSimpleName();
  }

  private static String text(Object value) {
    return String.valueOf(value).replaceAll("[\"\\\\]|\\p{Cntrl}", "?");
  }
}
