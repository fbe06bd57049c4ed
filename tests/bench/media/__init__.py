"""Media engines side by side: ours and rtpengine under the same load, on the same cores, in one run."""
