# What `make bench` runs: the load of the media engines, and the steps whose instructions are counted.
.PHONY: bench
bench: $(BUILD)/release/bench/rtpload $(BUILD)/release/bench/instructions

LOAD := rtpload account wire_ring wire_sockets
$(BUILD)/release/bench/rtpload: $(LOAD:%=$(BUILD)/release/bench/%.o) $(BUILD)/release/librtpfork.a
	$(Q)$(CC) $(CFLAGS) $^ $(LDLIBS) -o $@

$(BUILD)/release/bench/instructions: $(BUILD)/release/bench/instructions.o $(BUILD)/release/librtpfork.a
	$(Q)$(CC) $(CFLAGS) $^ $(LDLIBS) -o $@
