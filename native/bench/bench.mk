# The load of `make bench ONLY=media`.
.PHONY: rtpload
rtpload: $(BUILD)/release/bench/rtpload

$(BUILD)/release/bench/rtpload: $(BUILD)/release/bench/rtpload.o
	$(Q)$(CC) $(CFLAGS) $^ -o $@
