#include "gate.h"

#include "angles.h"
#include "names.h"
#include "scanner.h"

namespace engine {
namespace {

double hyperbolic_tangent(double x) {
  const double size = x < 0.0 ? -x : x;
  const double shrunk = exponential(-2.0 * size);
  const double value = (1.0 - shrunk) / (1.0 + shrunk);
  return x < 0.0 ? -value : value;
}

}  // namespace

// "mean_F":{"dtype":"F32","shape":[37],"data_offsets":[0,148]}
bool Gate::read(Text header, const std::uint8_t* data, std::size_t size, const char* name,
                std::size_t count, Room<float>& values) const {
  Scanner scanner(header);
  const Name key = Name().add("\"").add(name).add("\":{\"dtype\":\"F32\"");
  std::size_t begin, end;
  if (!scanner.find(key.text()) || !scanner.find("\"data_offsets\":[") || !scanner.number(begin) ||
      !scanner.take(',') || !scanner.number(end) || !scanner.take(']')) {
    return false;
  }
  if (begin > end || end > size || (end - begin) % sizeof(float) != 0) return false;
  if (count != 0 && end - begin != count * sizeof(float)) return false;
  if (!values.make((end - begin) / sizeof(float))) return false;
  __builtin_memcpy(values.data(), data + begin, end - begin);
  return true;
}

bool Gate::open(const std::uint8_t* bytes, std::size_t size, std::size_t num_features,
                std::size_t num_experts, Complaint& complaint) {
  const auto refuse = [&] { return complaint.say("the gate of the file is damaged"); };
  std::uint64_t header_size;
  if (size < sizeof header_size) return refuse();
  __builtin_memcpy(&header_size, bytes, sizeof header_size);
  if (header_size > size - sizeof header_size) return refuse();
  const auto length = static_cast<std::size_t>(header_size);
  const Text header{reinterpret_cast<const char*>(bytes + sizeof header_size), length};
  const std::uint8_t* data = bytes + sizeof header_size + length;
  const std::size_t left = size - sizeof header_size - length;
  if (!read(header, data, left, "hidden_bias_H", 0, hidden_bias_)) return refuse();
  num_features_ = num_features;
  num_experts_ = num_experts;
  num_hidden_ = hidden_bias_.size();
  const bool is_read = read(header, data, left, "mean_F", num_features, mean_) &&
                       read(header, data, left, "scale_F", num_features, scale_) &&
                       read(header, data, left, "hidden_HF", num_hidden_ * num_features, hidden_) &&
                       read(header, data, left, "output_KH", num_experts * num_hidden_, output_) &&
                       read(header, data, left, "output_bias_K", num_experts, output_bias_) &&
                       states_.make(num_hidden_ + num_features);
  return is_read || refuse();
}

void Gate::weigh(const float* features, float* weights) {
  float *normed = states_.data() + num_hidden_, *hidden = states_.data();
  for (std::size_t f = 0; f < num_features_; ++f) normed[f] = (features[f] - mean_[f]) * scale_[f];
  for (std::size_t h = 0; h < num_hidden_; ++h) {
    double sum = static_cast<double>(hidden_bias_[h]);
    const float* row = hidden_.data() + h * num_features_;
    for (std::size_t f = 0; f < num_features_; ++f) sum += static_cast<double>(row[f] * normed[f]);
    hidden[h] = static_cast<float>(hyperbolic_tangent(sum));
  }
  double largest = -1e300, total = 0.0;
  for (std::size_t k = 0; k < num_experts_; ++k) {
    double sum = static_cast<double>(output_bias_[k]);
    const float* row = output_.data() + k * num_hidden_;
    for (std::size_t h = 0; h < num_hidden_; ++h) sum += static_cast<double>(row[h] * hidden[h]);
    weights[k] = static_cast<float>(sum);
    if (sum > largest) largest = sum;
  }
  for (std::size_t k = 0; k < num_experts_; ++k) {
    const double share = exponential(static_cast<double>(weights[k]) - largest);
    weights[k] = static_cast<float>(share);
    total += share;
  }
  for (std::size_t k = 0; k < num_experts_; ++k) {
    weights[k] = static_cast<float>(static_cast<double>(weights[k]) / total);
  }
}

}  // namespace engine
