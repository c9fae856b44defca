// A library that isn't a job.
int answer() {
  return 42;
}
