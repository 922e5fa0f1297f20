"""What words weigh: texts as sparse vectors, the same for whoever writes them and whoever asks."""
