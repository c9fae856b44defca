package bench;

import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.Types;

/** examples/processed, for Flink. */
public class Processed {
  public static void main(String[] args) throws Exception {
    KafkaJob job = new KafkaJob(args);
    job.environment.fromSource(job.source(), WatermarkStrategy.noWatermarks(), "lines")
        .map(value -> "processed_" + value).returns(Types.STRING).sinkTo(job.sink());
    job.environment.execute("processed");
  }
}
