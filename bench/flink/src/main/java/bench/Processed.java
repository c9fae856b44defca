package bench;

import java.util.Properties;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.serialization.SimpleStringSchema;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * examples/processed, for Flink: --brokers B --in T --out T --checkpoints URL [--interval ms] [--prod
 * key=value]...
 */
public class Processed {
  public static void main(String[] args) throws Exception {
    Configuration arguments = new Configuration();
    Properties producer = new Properties();
    producer.setProperty("transaction.timeout.ms", "600000");
    for (int i = 0; i + 1 < args.length; i += 2) {
      if (args[i].equals("--prod")) {
        String[] pair = args[i + 1].split("=", 2);
        producer.setProperty(pair[0], pair[1]);
      } else {
        arguments.setString(args[i].substring(2), args[i + 1]);
      }
    }
    String brokers = arguments.getString("brokers", null);
    String in = arguments.getString("in", null);
    String out = arguments.getString("out", null);

    Configuration configuration = new Configuration();
    configuration.setString("execution.checkpointing.storage", "filesystem");
    configuration.setString("execution.checkpointing.dir", arguments.getString("checkpoints", null));
    configuration.setString("execution.checkpointing.interval",
        arguments.getString("interval", "1000") + "ms");
    configuration.setString("execution.checkpointing.mode", "EXACTLY_ONCE");
    configuration.setString("pipeline.object-reuse", "true");
    StreamExecutionEnvironment env =
        StreamExecutionEnvironment.getExecutionEnvironment(configuration);

    KafkaSource<String> source = KafkaSource.<String>builder()
        .setBootstrapServers(brokers).setTopics(in).setGroupId("flink-" + out)
        .setStartingOffsets(OffsetsInitializer.earliest())
        .setValueOnlyDeserializer(new SimpleStringSchema()).build();
    KafkaSink<String> sink = KafkaSink.<String>builder()
        .setBootstrapServers(brokers)
        .setRecordSerializer(KafkaRecordSerializationSchema.<String>builder()
            .setTopic(out).setValueSerializationSchema(new SimpleStringSchema()).build())
        .setDeliveryGuarantee(DeliveryGuarantee.EXACTLY_ONCE)
        .setTransactionalIdPrefix("flink-" + out).setKafkaProducerConfig(producer).build();
    env.fromSource(source, WatermarkStrategy.noWatermarks(), "lines")
        .map(value -> "processed_" + value).returns(Types.STRING).sinkTo(sink);
    env.execute("processed");
  }
}
