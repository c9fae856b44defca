package bench;

import java.util.Properties;
import org.apache.flink.api.common.serialization.SimpleStringSchema;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * What the jobs share, from their arguments: --brokers B --in T --out T --checkpoints URL
 * [--interval ms] [--state-backend hashmap|rocksdb] [--prod key=value]... and each job's own.
 */
final class KafkaJob {
  final Configuration arguments = new Configuration();
  final StreamExecutionEnvironment environment;
  private final Properties producer = new Properties();

  KafkaJob(String[] args) {
    producer.setProperty("transaction.timeout.ms", "600000");
    for (int i = 0; i + 1 < args.length; i += 2) {
      if (args[i].equals("--prod")) {
        String[] pair = args[i + 1].split("=", 2);
        producer.setProperty(pair[0], pair[1]);
      } else {
        arguments.setString(args[i].substring(2), args[i + 1]);
      }
    }
    Configuration configuration = new Configuration();
    configuration.setString("execution.checkpointing.storage", "filesystem");
    configuration.setString("execution.checkpointing.dir", arguments.getString("checkpoints", null));
    configuration.setString("execution.checkpointing.interval",
        arguments.getString("interval", "1000") + "ms");
    configuration.setString("execution.checkpointing.mode", "EXACTLY_ONCE");
    configuration.setString("execution.checkpointing.incremental", "true");
    configuration.setString("state.backend.type", arguments.getString("state-backend", "hashmap"));
    configuration.setString("pipeline.object-reuse", "true");
    environment = StreamExecutionEnvironment.getExecutionEnvironment(configuration);
  }

  KafkaSource<String> source() {
    return KafkaSource.<String>builder()
        .setBootstrapServers(arguments.getString("brokers", null))
        .setTopics(arguments.getString("in", null))
        .setGroupId("flink-" + arguments.getString("out", null))
        .setStartingOffsets(OffsetsInitializer.earliest())
        .setValueOnlyDeserializer(new SimpleStringSchema()).build();
  }

  KafkaSink<String> sink() {
    String out = arguments.getString("out", null);
    return KafkaSink.<String>builder()
        .setBootstrapServers(arguments.getString("brokers", null))
        .setRecordSerializer(KafkaRecordSerializationSchema.<String>builder()
            .setTopic(out).setValueSerializationSchema(new SimpleStringSchema()).build())
        .setDeliveryGuarantee(DeliveryGuarantee.EXACTLY_ONCE)
        .setTransactionalIdPrefix("flink-" + out).setKafkaProducerConfig(producer).build();
  }
}
